"""A world notices when a rule is taken out. All planted bugs: `python -m tests.world --mutants`."""

import pytest

from tests.world.mutants import MUTANTS, Mutant, hunt, hunting_ground, mutated, planted

# Those that a world notices soon, some for each kind of promise.
QUICK = (
    "sent before the attempt is durable",
    "no claim check",
    "does not wait for late landings",
    "doubts never settle",
    "an ambiguous answer counts as delivered",
    "what has ended is planned again",
    "deferred counts as delivered",
    "offsets before ends",
    "offsets one too far",
    "refused before its letter",
    "requests count from their start",
    "older than attempted is let in",
    "a drain cancels flights",
)
BY_NAME = {mutant.name: mutant for mutant in MUTANTS}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_bug_still_fits_the_source(mutant: Mutant) -> None:
    function, code = mutated(mutant)
    assert code.co_code != function.__code__.co_code or code.co_consts != function.__code__.co_consts


# A world that a bug has crashed leaves behind what nobody awaits any more.
@pytest.mark.filterwarnings("ignore:.*never awaited", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", QUICK)
def test_a_planted_bug_is_noticed(name: str) -> None:
    assert hunt(BY_NAME[name], hunting_ground()).rules


def test_a_planted_bug_is_gone_afterwards() -> None:
    function, code = mutated(MUTANTS[0])
    before = function.__code__
    with planted(MUTANTS[0]):
        assert function.__code__ != before
    assert function.__code__ is before
    assert code is not before
