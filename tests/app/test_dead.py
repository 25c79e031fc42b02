"""Dead letters on a terminal: masked unless revealed, exact in an export, and advice for every reason."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from consumer.app import dead_calls, dead_told
from consumer.app.cli import app
from consumer.app.commands.completion import lanes
from consumer.app.commands.shared import FAILED, USAGE
from consumer.app.dead_original import SHAPE_CHARACTERS, exported, shown_headers, shown_key, shown_value
from consumer.app.dead_redrive import Survey
from consumer.app.told import Output
from consumer.core.model import Position, Record, Trouble
from consumer.core.redrive import FATES, Fate, Foreseen, Letter
from consumer.core.redrive_advice import ADVICE
from schemas.dead_letter import DeadLetterHeaders, DeadReason
from tests.app.support import PHONE, write
from tests.tidy.repository import ROOT

AT = 1_795_300_000.0
EVENT = {
    "type": "order.paid",
    "customer": {"id": "c-9", "phone": "+7 (916) 123-45-67", "locale": "ru", "consents": {"push": True}},
    "order": {"id": "o-1", "total": "10.00", "responsible_user_ids": [17], "note": f"call {PHONE} or a@b.ru"},
    "number": int(PHONE),
    "count": 3,
    PHONE: 1,
}


def letter(reason: DeadReason = DeadReason.RENDER, value: bytes | None = None, offset: int = 3, **head: Any) -> Letter:
    given = {"id": "ab" * 16, "lane": "app-push", "route": "order-paid", "topic": "shop.orders", "partition": 2}
    headers = DeadLetterHeaders.model_validate(
        {**given, "offset": 7, "timestamp": AT - 60, "reason": reason, "detail": "title: total", **head}, strict=False
    )
    body = json.dumps(EVENT).encode() if value is None else value
    record = Record(Position("vestnik.dead-letters", 0, offset), AT + offset, b"c-9", body, (("trace", b"1"),))
    return Letter(headers, record)


# --- the original -----------------------------------------------------------------------------------------------------


def test_a_masked_event_keeps_its_form_and_nobodys_data() -> None:
    shown = shown_value(json.dumps(EVENT).encode(), reveal=False)
    document = json.loads(shown)
    assert document["customer"] == {"id": "**", "phone": "**67", "locale": "ru", "consents": {"push": True}}
    assert document["order"]["responsible_user_ids"] == ["**"]
    assert (document["order"]["total"], document["count"]) == ("10.00", 3)
    for private in (PHONE, "123-45-67", "a@b.ru", "c-9"):
        assert private not in shown
    assert PHONE in shown_value(json.dumps(EVENT).encode(), reveal=True)


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        (b'{"phone": "79161234567", "x', '{"xxxxx": "00000000000", "x'),
        ("Иван 12".encode(), "xxxx 00"),
        (b"x" * 1000, "x" * SHAPE_CHARACTERS + "…"),
        (b"[" * 100_000, "[" * SHAPE_CHARACTERS + "…"),
        (b"", ""),
    ],
)
def test_of_what_is_no_json_only_the_shape_is_shown(value: bytes, shape: str) -> None:
    assert shown_value(value, reveal=False) == shape


def test_keys_and_headers_are_masked_too() -> None:
    assert (shown_key(b"79161234567", reveal=False), shown_key(b"c-9", reveal=True)) == ("**67", "c-9")
    assert (shown_key(None, reveal=False), shown_value(None, reveal=False)) == (None, "")
    headers = (("who", f"{PHONE} a@b.ru".encode()), ("raw", b"\xff"))
    assert shown_headers(headers, reveal=False) == [("who", "**67 **"), ("raw", "\\xff")]
    assert shown_headers(headers, reveal=True)[0] == ("who", f"{PHONE} a@b.ru")


def test_an_export_has_the_original_byte_for_byte() -> None:
    found = exported(letter(DeadReason.INVALID_JSON, b"\xff\x00"))
    assert base64.b64decode(found["value"]["base64"]) == b"\xff\x00"
    assert (found["key"], found["headers"], found["offset"]) == ("c-9", [["trace", "1"]], 7)
    plain = exported(letter())
    assert (json.loads(plain["value"]), plain["cut"]) == (EVENT, None)
    cut = exported(letter(sha256="00", size=5))
    assert cut["cut"] == {"size": 5, "sha256": "00"}


# --- what is printed --------------------------------------------------------------------------------------------------


def test_the_newest_letters_come_first_by_ids_that_can_be_typed(capsys: pytest.CaptureFixture[str]) -> None:
    letters = [letter(offset=1), letter(DeadReason.SCHEMA, offset=2, id="shop.orders/2/7", route=None)]
    dead_told.tell_letters(letters, 1, Output.TABLE)
    text = capsys.readouterr().out
    assert "shop.orders/2/7" in text
    assert "abababababab" not in text
    assert "1 of 2 letters; --limit 2 shows all" in text
    dead_told.tell_letters(letters, 5, Output.TABLE)
    assert "  abababababab  " in capsys.readouterr().out
    dead_told.tell_letters(letters, 5, Output.JSON)
    document = json.loads(capsys.readouterr().out)
    assert [each["reason"] for each in document["letters"]] == ["schema", "render"]
    dead_told.tell_letters([], 5, Output.TABLE)
    assert capsys.readouterr().out == "No letters.\n"


def test_counts_come_with_advice(capsys: pytest.CaptureFixture[str]) -> None:
    dead_told.tell_tallies([letter(), letter()], Output.TABLE)
    text = " ".join(capsys.readouterr().out.split())
    assert "2 render app-push order-paid" in text
    assert ADVICE[DeadReason.RENDER].mend in text
    dead_told.tell_tallies([letter()], Output.JSON)
    assert json.loads(capsys.readouterr().out)["by"][0]["letters"] == 1
    dead_told.tell_tallies([], Output.TABLE)
    assert capsys.readouterr().out == "No letters.\n"


def test_one_letter_is_told_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    dead_told.tell_letter(letter(command="0" * 24), "no", Output.TABLE, reveal=False)
    text = capsys.readouterr().out
    assert "title: total" in text
    assert "vestnik why 000000000000000000000000" in text
    assert "c-9" not in text
    dead_told.tell_letter(letter(sha256="00", size=99_999), "no", Output.TABLE, reveal=True)
    text = capsys.readouterr().out
    assert "of 99999 bytes, SHA-256 00" in text
    assert "c-9" in text
    dead_told.tell_letter(letter(), "yes", Output.JSON, reveal=False)
    document = json.loads(capsys.readouterr().out)
    assert (document["masked"], document["key"], document["mend"]) == (True, "**", ADVICE[DeadReason.RENDER].mend)


@pytest.mark.parametrize("output", Output)
def test_a_providers_words_are_masked_too(output: Output, capsys: pytest.CaptureFixture[str]) -> None:
    dead_told.tell_letter(letter(detail=f"no {PHONE}"), "no", output, reveal=False)
    assert PHONE not in capsys.readouterr().out
    dead_told.tell_letter(letter(detail=f"no {PHONE}"), "no", output, reveal=True)
    assert f"no {PHONE}" in capsys.readouterr().out
    dead_told.tell_letters([letter(detail=f"no {PHONE}")], 1, output)
    assert PHONE not in capsys.readouterr().out


def test_a_redrive_says_what_becomes_of_each_letter(capsys: pytest.CaptureFixture[str]) -> None:
    survey = Survey()
    survey.note(letter(), Foreseen(Fate.GOES, 2))
    survey.note(letter(DeadReason.SCHEMA), Foreseen(Fate.DIES_AGAIN, 0, "schema: order.id: missing"))
    survey.note(letter(DeadReason.SCHEMA), Foreseen(Fate.DIES_AGAIN, 0, "schema: order: missing"))
    dead_told.tell_survey(survey, "r1", Output.TABLE, sent=False)
    text = capsys.readouterr().out
    assert "1 letter would become 2 messages. This was a dry run; --send does it." in text
    assert f"dies_again: 2 letters {FATES[Fate.DIES_AGAIN]}." in text
    assert "schema: order.id: missing" in text
    survey.published, survey.trouble = 1, Trouble("broker_unreachable", "x")
    survey.refused = [("a1", "too large")]
    dead_told.tell_survey(survey, "r1", Output.TABLE, sent=True)
    captured = capsys.readouterr()
    assert "1 letter redriven as redrive-r1" in captured.out
    assert "a1: too large" in captured.err
    assert "broker_unreachable x" in captured.err
    dead_told.tell_survey(survey, "r1", Output.JSON, sent=True)
    assert json.loads(capsys.readouterr().out)["trouble"] == "broker_unreachable x"
    dead_told.tell_survey(Survey(), "r1", Output.TABLE, sent=False)
    assert capsys.readouterr().out == "No letters are asked for.\n"


def test_an_id_that_is_not_clear_is_told() -> None:
    letters = [letter(id="ab1"), letter(id="ab2", offset=9), letter(id="ab2", redrives=1, offset=10)]
    assert dead_calls.one_of(letters, "ab2") == letters[2]
    assert dead_calls.one_of(letters, "ab") == '"ab" begins 2 ids: ab1, ab2'
    assert 'no letter "x" among 3' in str(dead_calls.one_of(letters, "x"))


# --- the command line -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        (["dead", "list", "--from", "yesterday"], USAGE, "--from: "),
        (["dead", "list", "--from", "1h", "--to", "2h"], USAGE, "--from is not before --to"),
        (["dead", "list", "--reason", "boring"], USAGE, "boring"),
        (["dead", "export"], USAGE, "--reveal"),
        (["dead", "redrive", "--extend-ttl", "6"], USAGE, "--extend-ttl: "),
        (["dead", "list"], FAILED, "broker_unreachable"),
        (["dead", "show", "a"], FAILED, "broker_unreachable"),
        (["dead", "redrive"], FAILED, "broker_unreachable"),
        (["why", "o-1", "--since", "soon"], USAGE, "--since: "),
        (["why", "o-1", "--lane", "app-pusj"], USAGE, 'unknown lane "app-pusj"'),
        (["why", "o-1", "--url", "localhost"], USAGE, "--url: "),
        (["why", "o-1"], FAILED, "broker_unreachable"),
    ],
)
def test_what_cannot_be_done_is_said(
    words: list[str], code: int, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMSHOP_KEY", "k")
    path = write(tmp_path)
    path.write_text(path.read_text().replace("localhost:9092", "127.0.0.1:1"))
    done = CliRunner().invoke(app, [*words, "--config", str(path)])
    assert (done.exit_code, expected in done.output) == (code, True), done.output


def test_the_shell_offers_the_lanes_of_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path)
    command = typer.main.get_command(app)

    def offered(begun: str, config: str | None) -> list[str]:
        context = typer.Context(command)
        context.params = {"config": config}
        return lanes(context, begun)

    assert offered("app", str(path)) == ["app-push"]
    assert offered("x", str(tmp_path)) == []
    assert offered("", str(tmp_path / "missing.yaml")) == []
    monkeypatch.setenv("VESTNIK_CONFIG", str(path))
    assert offered("", None) == ["app-push"]


def test_the_page_has_the_advice_for_every_reason() -> None:
    page = (ROOT / "docs" / "dead-letters.md").read_text("utf-8")
    for reason, advice in ADVICE.items():
        assert f"| `{reason}` | {advice.means} | {advice.mend} |" in page
