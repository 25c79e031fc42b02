"""The first signal asks to stop, the second ends at once."""

import signal

from consumer.app.signals import SIGNALS, StopRequest


def test_a_signal_before_anything_has_begun_ends_at_once_and_well() -> None:
    """A machine under load may take many seconds for the imports; a signal that comes then need not wait for them."""
    left: list[int] = []
    told: list[str] = []
    stop = StopRequest(left.append)
    stop.hear(signal.SIGTERM)
    assert left == [0]
    stop.attach(lambda: told.append("stop"))
    assert told == ["stop"]


def test_a_signal_is_told_once_and_the_second_one_leaves() -> None:
    told: list[str] = []
    left: list[int] = []
    stop = StopRequest(left.append)
    stop.attach(lambda: told.append("stop"))
    stop.hear(signal.SIGINT)
    assert (told, left) == (["stop"], [])
    stop.hear(signal.SIGTERM)
    assert left == [128 + signal.SIGTERM]


def test_both_signals_are_taken_over() -> None:
    before = [signal.getsignal(number) for number in (*SIGNALS, signal.SIGHUP)]
    left: list[int] = []
    stop = StopRequest(left.append)
    try:
        stop.install()
        assert [signal.getsignal(number) for number in SIGNALS] == [stop.hear] * 2
        signal.raise_signal(signal.SIGTERM)
        assert stop.asked
        signal.raise_signal(signal.SIGHUP)
        assert left == [0]
    finally:
        for number, handler in zip((*SIGNALS, signal.SIGHUP), before, strict=True):
            signal.signal(number, handler)
