"""Two steps before many people are told: the plan has been shown, and now somebody says yes."""

import sys

import typer

UNASKED_MOST = 1000


def confirmed(count: int, question: str, *, yes: bool) -> bool | str:
    """Whether so many may be told; up to a thousand may, and `yes` has answered already. In words, why nobody could be
    asked."""
    if yes or count <= UNASKED_MOST:
        return True
    if not sys.stdin.isatty():
        return f"{question} Nobody is here to say so: --yes says it"
    return typer.confirm(question, err=True)
