"""Each file of the corpus ends as the index says, quickly and in little memory, and the record after it is told."""

import resource
from collections import Counter

import pytest

from consumer.core.decode import Undecodable, decode
from consumer.streams.letters import read_headers
from tests.poison.corpus import CORPUS, Case, Payload, cases
from tests.poison.lane import GOOD_RECIPIENT, Seen, feed

CPU_SECONDS = 1.0
MEMORY_FACTOR = 3
# What a lane takes for itself, and what the 100,000 values that a record may have take as objects.
OWN_BYTES = 12 * 1024 * 1024
SMALL_BYTES = 4096
EVERY = pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)


def _end(seen: Seen) -> tuple[str, str]:
    """How the first record ended."""
    if seen.buried:
        return "dead_letter", seen.buried[0].reason
    if ignored := seen.planned("ignored"):
        return "ignored", ignored[0].reason
    others = seen.ends - {("delivered", "")}
    if others:
        return "ended", next(iter(others))[0]
    return "told", "delivered"


@EVERY
def test_it_ends_as_the_index_says_and_the_next_record_is_told(case: Case) -> None:
    payload = case.payload
    seen = feed(payload, case.limit)
    assert _end(seen) == (case.ends, case.reason)
    assert seen.committed == 2
    assert GOOD_RECIPIENT in seen.provider.told
    assert seen.cpu_seconds <= CPU_SECONDS
    _told_as_expected(case, seen)
    if case.ends == "dead_letter":
        _buried_whole(case, payload, seen)


def _told_as_expected(case: Case, seen: Seen) -> None:
    poisoned = [push for push in seen.provider.pushes if push.recipient != GOOD_RECIPIENT]
    told = {push.recipient for push in poisoned}
    assert max(Counter((push.recipient, push.attempt) for push in poisoned).values(), default=1) == 1
    assert bool(told) is (case.ends == "told")
    if case.recipients is not None:
        assert told == case.recipients
    if case.says is not None:
        assert {push.message.title for push in poisoned} == {case.says}
    if case.link is not None:
        assert {push.message.link for push in poisoned} == {case.link}


def _buried_whole(case: Case, payload: Payload, seen: Seen) -> None:
    """One letter with our own headers, whatever the record's said, and the original byte for byte."""
    (letter,) = seen.letters
    headers = read_headers(letter)
    assert headers is not None
    assert (headers.lane, headers.reason.value, headers.offset) == ("push", case.reason, 0)
    assert letter.value == payload.value
    assert len(letter.headers) <= 64 + 12
    assert sum(len(name) + len(value) for name, value in letter.headers) <= 128 * 1024
    assert headers.redrives < 10**9


@pytest.mark.parametrize("case", [case for case in cases() if case.size > SMALL_BYTES], ids=lambda case: case.name)
def test_it_takes_at_most_three_times_its_own_size(case: Case) -> None:
    payload = case.payload
    peak = feed(payload, case.limit, measured=True).peak_bytes
    assert peak <= MEMORY_FACTOR * payload.size + OWN_BYTES, f"{peak / max(1, payload.size):.1f} times"


def test_reasons_are_the_same_each_time_and_have_no_value_of_the_payload() -> None:
    for case in cases():
        value = case.payload.value
        found = decode(value, case.limit)
        assert decode(value, case.limit) == found
        if isinstance(found, Undecodable):
            assert not {"123-45-67", "05671863", "29336"} & set(found.detail.split())
            assert len(found.detail) < 400


def test_the_index_and_the_folder_have_the_same_files() -> None:
    named = [case.file for case in cases()]
    assert sorted(named) == sorted(path.name for path in CORPUS.iterdir())
    assert len(named) == len(set(named)) >= 60


def test_every_row_of_the_matrix_has_its_files() -> None:
    assert {case.row for case in cases()} == {f"E-{number}" for number in range(1, 9)}


def test_the_corpus_leaves_the_process_small() -> None:
    """A bomb of 150 MB is in memory once as a record, and nothing copies it."""
    bomb = next(case for case in cases() if case.name == "a-bomb-of-150-megabytes")
    payload = bomb.payload
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    feed(payload, bomb.limit)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert (after - before) * 1024 <= payload.size
