"""What a gateway's answer means: the first row of a table of JMESPath expressions that fits it."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.visitor import TreeInterpreter
from pydantic import Field, field_validator

from consumer.core.document import Strict
from consumer.core.model import Blocked, Deferred, Delivered, Refused, Unsure, Verdict
from consumer.core.units import Seconds
from consumer.sinks.answer import read_json, retry_after_seconds, words
from consumer.sinks.http import Reply, is_final

ANSWERS_KEPT = 64
ANSWER_KEPT_BYTES = 1024

# `search` makes one for each question, which takes as long as to answer it.
_INTERPRETER = TreeInterpreter()

Meaning = tuple[Verdict, frozenset[str]]
"""The verdict, and whom the gateway does not know."""


class AnswerConfig(Strict):
    """What one kind of answer means. The first that fits counts."""

    when: str = Field(description="a JMESPath expression over status, headers and body that must give true")
    verdict: Literal["delivered", "deferred", "refused", "blocked", "unsure"]
    reason: str = Field(default="", pattern=r"^[a-z0-9_]{0,40}$", description="the verdict's name when left out")
    after: Seconds | None = Field(default=None, description="deferred: how long to wait where Retry-After does not say")
    limit: bool = Field(default=False, description="deferred: it was the gateway's quota that spoke")
    letter: bool = Field(default=True, description="refused: somebody should look at it, so it is a dead letter")
    detail: str = Field(default="", description="a JMESPath expression for the gateway's own words")

    @field_validator("when", "detail")
    @classmethod
    def _is_expression(cls, value: str) -> str:
        if value:
            expression(value)
        return value

    @property
    def named(self) -> str:
        return self.reason or self.verdict


@lru_cache(maxsize=256)
def expression(source: str) -> Any:
    """The expression, compiled. Raises ValueError where it is none."""
    try:
        return jmespath.compile(source)
    except JMESPathError as error:
        raise ValueError(f"not a JMESPath expression: {str(error).splitlines()[0]}") from None


class Meanings:
    """What answers mean by one table. Nothing else decides it, and most gateways say always the same: so what was said
    lately is looked up."""

    def __init__(self, answers: Sequence[AnswerConfig], unknown_recipients: str) -> None:
        self._answers = answers
        self._unknown_recipients = unknown_recipients
        self._lately = lru_cache(maxsize=ANSWERS_KEPT)(self._of_parts)

    def of(self, reply: Reply) -> Meaning:
        """A long answer says what the next one does not."""
        found = self._lately if len(reply.body) <= ANSWER_KEPT_BYTES else self._of_parts
        return found(reply.status, tuple(reply.headers.items()), reply.body)

    def _of_parts(self, status: int, headers: tuple[tuple[str, str], ...], body: bytes) -> Meaning:
        reply = Reply(status, dict(headers), body)
        document = {"status": status, "headers": dict(headers), "body": read_json(body)}
        verdict = _verdict(self._answers, reply, document)
        if not isinstance(verdict, Delivered) or not self._unknown_recipients:
            return verdict, frozenset()
        return verdict, _recipients(_found(self._unknown_recipients, document))


def _verdict(answers: Sequence[AnswerConfig], reply: Reply, document: dict[str, Any]) -> Verdict:
    for answer in answers if reply.status >= 200 else ():
        # Only the very word: in JMESPath a text such as "false" counts as true where a condition is asked for.
        if _found(answer.when, document) is True:
            return _meant(answer, reply, document)
    return Unsure("unmatched", answered=is_final(reply.status))


def _meant(answer: AnswerConfig, reply: Reply, document: dict[str, Any]) -> Verdict:
    said = words(_found(answer.detail, document)) if answer.detail else ""
    match answer.verdict:
        case "delivered":
            good = 200 <= reply.status < 300
            return Delivered() if good else Unsure("unmatched", answered=is_final(reply.status))
        case "deferred":
            wished = retry_after_seconds(reply)
            return Deferred(answer.named, answer.after if wished is None else wished, limit=answer.limit)
        case "refused":
            return Refused(answer.named, said or f"HTTP {reply.status}", letter=answer.letter)
        case "blocked":
            return Blocked(answer.named, said or f"HTTP {reply.status}")
        case "unsure":
            return Unsure(answer.named, answered=is_final(reply.status))


def _found(source: str, document: dict[str, Any]) -> Any:
    try:
        return _INTERPRETER.visit(expression(source).parsed, document)
    except (JMESPathError, RecursionError, TypeError, ValueError):
        # An expression that does not fit this answer has found nothing in it.
        return None


def _recipients(found: object) -> frozenset[str]:
    listed = found if isinstance(found, list) else [found]
    return frozenset(str(each) for each in listed if isinstance(each, str | int) and not isinstance(each, bool))
