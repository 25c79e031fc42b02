"""A flood of poison is told from a few bad records, and from records that are bad in one part."""

import pytest

from consumer.core.flood import Flood, FloodRule, Floods

RULE = FloodRule(rejected=5, of=10)


def seen(floods: Floods, results: str, source: str = "shop.orders") -> Floods:
    """`.` is a good record; any other letter names a reason."""
    names = {".": None, "s": "schema", "j": "invalid_json"}
    for letter in results:
        floods.see(source, names[letter])
    return floods


@pytest.mark.parametrize("results", ["", ".", "ssss", "s.s.s.s...", "ssss......s...s"])
def test_a_few_bad_records_are_no_flood(results: str) -> None:
    assert seen(Floods(RULE), results).flood("shop.orders") is None


@pytest.mark.parametrize("results", ["sssss", "..........sssss", "s.s.s.s.s.", "sjsjs"])
def test_half_of_the_last_records_are_a_flood(results: str) -> None:
    assert seen(Floods(RULE), results).sources == ("shop.orders",)


def test_a_flood_names_its_commonest_reason() -> None:
    flood = seen(Floods(RULE), "..jsjss").flood("shop.orders")
    assert flood == Flood("shop.orders", 5, 7, "schema", 3)
    assert flood.words == "5 of the last 7 records of shop.orders are dead letters, mostly schema (3)"


def test_a_flood_is_over_when_fewer_than_half_as_many_are_bad() -> None:
    floods = seen(Floods(RULE), "sssss.......")
    assert floods.flood("shop.orders") is not None
    assert seen(floods, ".").flood("shop.orders") is None


def test_one_source_says_nothing_of_another() -> None:
    floods = seen(seen(Floods(RULE), "sssss"), ".....", "shop.bonuses")
    assert floods.sources == ("shop.orders",)
    assert floods.flood("shop.bonuses") is None


def test_a_flood_that_somebody_lifts_begins_anew_only_after_as_many_bad_records() -> None:
    floods = seen(Floods(RULE), "ssssssss")
    floods.lift("shop.orders")
    floods.lift("shop.orders")
    assert seen(floods, "ssss").sources == ()
    assert seen(floods, "s").sources == ("shop.orders",)


def test_where_nothing_is_to_be_stopped_there_is_no_flood() -> None:
    assert seen(Floods(FloodRule(rejected=5, of=10, stop=False)), "ssssssssss").sources == ()
