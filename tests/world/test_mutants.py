"""A world notices when a rule is taken out. All planted bugs: `python -m tests.world --mutants`."""

import pytest

from tests.world.mutants import MUTANTS, Mutant, hunt, mutated, planted

# One that a world notices fast, for each kind of promise; the seeds are those that noticed it.
QUICK = {
    "sent before the attempt is durable": 0,
    "no claim check": 0,
    "offsets before ends": 0,
    "skips a position after a revoke": 0,
    "doubts never settle": 2,
    "refused before its letter": 2,
    "a refused batch is buried whole": 2,
    "nothing expires": 2,
    "a joined record is never settled": 2,
    "stop routes repeat": 5,
    "deferred counts as delivered": 5,
}
BY_NAME = {mutant.name: mutant for mutant in MUTANTS}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_bug_still_fits_the_source(mutant: Mutant) -> None:
    function, code = mutated(mutant)
    assert code.co_code != function.__code__.co_code or code.co_consts != function.__code__.co_consts


@pytest.mark.parametrize("name", QUICK)
def test_a_planted_bug_is_noticed(name: str) -> None:
    seed = QUICK[name]
    assert hunt(BY_NAME[name], range(seed, seed + 8)).rules


def test_a_planted_bug_is_gone_afterwards() -> None:
    function, code = mutated(MUTANTS[0])
    before = function.__code__
    with planted(MUTANTS[0]):
        assert function.__code__ != before
    assert function.__code__ is before
    assert code is not before
