"""Two hundred worlds keep every promise of the design, and those that once did not do so still."""

import pytest

from tests.world.mutants import corpus
from tests.world.world import Result, run_world

WORLDS = 200
BLOCK = 20


def complaints(result: Result) -> list[str]:
    return [f"seed {result.seed}: {violation}" for violation in result.violations]


@pytest.mark.parametrize("seed", corpus())
def test_a_world_that_once_broke_a_promise_keeps_it(seed: int) -> None:
    assert complaints(run_world(seed)) == []


@pytest.mark.parametrize("first", range(0, WORLDS, BLOCK))
def test_every_promise_is_kept_in_every_world(first: int) -> None:
    """A block of seeds a test, so that blocks may run side by side."""
    results = [run_world(seed) for seed in range(first, first + BLOCK)]
    assert [line for result in results for line in complaints(result)] == []
    # A world in which nothing happens would keep every promise.
    assert sum(result.events for result in results) > 50 * BLOCK
    assert sum(result.pushes for result in results) > 25 * BLOCK
    assert sum(result.lives for result in results) > 2 * BLOCK


@pytest.mark.parametrize("seed", [0, 7, 17, 31])
def test_the_same_seed_is_the_same_world(seed: int) -> None:
    assert run_world(seed).trace == run_world(seed).trace
