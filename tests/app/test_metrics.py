"""Facts as Prometheus sees them."""

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from consumer.app import metrics as tables
from consumer.app.build import core
from consumer.app.families import Expected, LaneNames
from consumer.app.metrics import Metrics
from consumer.app.setup import Setup, load_setup
from consumer.app.wiring import expected
from consumer.core import facts
from consumer.core.model import Message, Outcome
from tests.app.support import PHONE, fact_kinds, sample

LANES = (
    LaneNames("app-push", "imshop", "live", ("order-paid", "bonus-accrued"), 2),
    LaneNames("staff", "bitrix24", "shadow", ("staff-new",), 1),
)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(Expected(LANES, ("shop.orders",), "1.2.3", "abc"))


def samples(metrics: Metrics) -> dict[str, float]:
    """Every line of the text format, by its name with labels."""
    found = {}
    for family in text_string_to_metric_families(metrics.render().decode()):
        for each in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(each.labels.items()))
            found[f"{each.name}{{{labels}}}"] = each.value
    return found


def value(metrics: Metrics, name: str, **labels: str) -> float:
    spelt = ",".join(f"{key}={text}" for key, text in sorted(labels.items()))
    return samples(metrics)[f"vestnik_{name}{{{spelt}}}"]


def push(count: int) -> facts.Pushed:
    return facts.Pushed(
        "app-push", "imshop", "1.1", "order-paid", 1, Message("T", "X"), (PHONE,) * count, (2.0,) * count, count - 1
    )


@pytest.mark.parametrize("kind", fact_kinds(), ids=lambda kind: kind.__name__)
def test_every_fact_changes_a_metric(metrics: Metrics, kind: type[facts.Fact]) -> None:
    before = samples(metrics)
    metrics.see(sample(facts.LaneBlocked, reason="reason"))
    metrics.see(sample(kind))
    assert samples(metrics) != before


def test_the_table_knows_every_fact() -> None:
    assert set(tables.TABLE) == set(fact_kinds())


def test_a_fact_of_no_kind_is_passed_over(metrics: Metrics) -> None:
    before = samples(metrics).keys()
    metrics.see(facts.LaneFact("app-push"))
    assert samples(metrics).keys() == before


def test_what_the_configuration_lets_expect_is_born_at_zero(metrics: Metrics) -> None:
    born = samples(metrics)
    for name in (
        "vestnik_commands_ended_total{lane=app-push,outcome=unknown,route=bonus-accrued}",
        "vestnik_requests_total{lane=staff,provider=bitrix24,reason=,verdict=blocked}",
        "vestnik_dead_letters_total{lane=app-push,reason=oversize}",
        "vestnik_records_total{lane=staff,reason=tombstone,result=ignored,topic=shop.orders}",
        "vestnik_pushes_by_wording_total{lane=app-push,level=1}",
        "vestnik_lane_state{lane=staff,state=working}",
        "vestnik_conservation_drift_commands{lane=app-push}",
        "vestnik_commits_total{lane=staff,result=failed}",
        "vestnik_events_total{event_type=order.paid,lane=app-push,result=planned}",
        "vestnik_delivery_age_seconds_count{lane=app-push}",
    ):
        assert born[name] == 0.0


def test_a_lane_has_only_its_own_routes(metrics: Metrics) -> None:
    assert not [name for name in samples(metrics) if "staff-new" in name and "lane=app-push" in name]


def test_a_push_is_counted_by_recipients(metrics: Metrics) -> None:
    metrics.see(push(3))
    assert value(metrics, "pushes_total", lane="app-push", route="order-paid") == 3
    assert value(metrics, "pushes_in_time_total", lane="app-push", route="order-paid") == 2
    assert value(metrics, "pushes_by_wording_total", lane="app-push", level="1") == 3
    assert value(metrics, "delivery_age_seconds_count", lane="app-push") == 3
    assert value(metrics, "delivery_age_seconds_sum", lane="app-push") == 6


def test_outcomes_are_counted_by_route_and_by_reason(metrics: Metrics) -> None:
    metrics.see(facts.CommandEnded("app-push", "order-paid", Outcome.EXPIRED, "ttl", 4))
    assert value(metrics, "commands_ended_total", lane="app-push", route="order-paid", outcome="expired") == 4
    assert value(metrics, "commands_ended_by_reason_total", lane="app-push", outcome="expired", reason="ttl") == 4


def test_one_state_is_true_at_a_time_and_says_who_owns(metrics: Metrics) -> None:
    metrics.see(facts.LaneMoved("app-push", "recovering", 7))
    assert value(metrics, "lane_owner", lane="app-push") == 1
    metrics.see(facts.LaneMoved("app-push", "standby", 7))
    assert value(metrics, "lane_owner", lane="app-push") == 0
    assert value(metrics, "lane_state", lane="app-push", state="recovering") == 0
    assert value(metrics, "lane_state", lane="app-push", state="standby") == 1
    assert value(metrics, "lane_epoch", lane="app-push") == 7


def test_reasons_for_being_blocked_come_and_go_one_by_one(metrics: Metrics) -> None:
    metrics.see(facts.LaneBlocked("app-push", "journal", ""))
    metrics.see(facts.LaneBlocked("app-push", "key_refused", ""))
    metrics.see(facts.LaneUnblocked("app-push", "journal", 3.0))
    assert value(metrics, "lane_blocked", lane="app-push", reason="journal") == 0
    assert value(metrics, "lane_blocked", lane="app-push", reason="key_refused") == 1


def test_the_gauges_are_those_of_the_lane(metrics: Metrics) -> None:
    metrics.see(sample(facts.LaneGauges, drift=0, waiting=12, seconds_to_clear=90.0, holds="quota"))
    assert value(metrics, "waiting_commands", lane="app-push") == 12
    assert value(metrics, "clear_seconds", lane="app-push") == 90
    assert value(metrics, "lane_held_by", lane="app-push", cause="quota") == 1


def test_a_read_back_tells_what_it_could_not_read(metrics: Metrics) -> None:
    metrics.see(facts.JournalReadBack("app-push", records=1000, seconds=2.0, in_doubt=3, unreadable=4))
    told = {each: value(metrics, f"journal_read_back_{each}", lane="app-push") for each in ("records", "unreadable")}
    assert told == {"records": 1000, "unreadable": 4}


def test_labels_stay_bounded_whatever_comes(metrics: Metrics) -> None:
    """A hundred thousand names of types, reasons and topics add next to nothing."""
    before = len(samples(metrics))
    for number in range(100_000):
        metrics.see(facts.RecordsPlanned("app-push", f"t{number}", f"type.{number}", "rejected", f"r{number}", 1, 0))
    assert len(samples(metrics)) - before <= 40


def test_a_recipient_is_never_in_the_text(metrics: Metrics) -> None:
    for kind in fact_kinds():
        metrics.see(sample(kind))
    assert PHONE not in metrics.render().decode()


def test_the_loop_and_the_build_are_told(metrics: Metrics) -> None:
    metrics.loop_lagged(0.03)
    assert value(metrics, "event_loop_lag_seconds_count") == 1
    (build,) = [name for name in samples(metrics) if name.startswith("vestnik_build_info")]
    assert "version=1.2.3" in build
    assert f"core={core()}" in build
    assert value(metrics, "config_info", digest="abc") == 1


def test_the_catalogue_has_about_a_thousand_lines(catalogue: Path) -> None:
    setup = load_setup(catalogue / "vestnik.yaml", {})
    assert isinstance(setup, Setup)
    assert len(samples(Metrics(expected(setup, "1")))) <= 1200
