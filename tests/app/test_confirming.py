"""Above a thousand people somebody says yes, or nothing is sent."""

import io
import sys

import pytest

from consumer.app.confirming import UNASKED_MOST, confirmed


class Terminal(io.StringIO):
    """Somebody sits here, and has typed something."""

    def isatty(self) -> bool:
        return True


def test_up_to_a_thousand_and_with_yes_nobody_is_asked() -> None:
    assert confirmed(UNASKED_MOST, "Send it?", yes=False) is True
    assert confirmed(10**6, "Send it?", yes=True) is True


@pytest.mark.parametrize(("typed", "answer"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_above_a_thousand_somebody_is_asked(
    typed: str, answer: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On standard error, for standard output may be read by a machine; the library puts one space there."""
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    assert confirmed(UNASKED_MOST + 1, "Send it?", yes=False) is answer
    seen = capsys.readouterr()
    assert (seen.out.strip(), "Send it?" in seen.err) == ("", True)


def test_where_nobody_is_there_it_is_said_how_to_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    assert confirmed(UNASKED_MOST + 1, "Send it?", yes=False) == "Send it? Nobody is here to say so: --yes says it"
