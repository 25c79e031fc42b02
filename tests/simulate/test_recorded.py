"""A shop's own topic, planned with its own routes."""

import json
from pathlib import Path
from typing import Any

import pytest

from consumer.catalogue import catalogue_files
from consumer.core.policies import POLICIES
from consumer.core.routes import RouteSet
from consumer.simulate.day import LaneModel, run_day
from consumer.simulate.recorded import RecordedTraffic, lanes_of, read_routes

ACCRUED: dict[str, Any] = json.loads(catalogue_files()["examples/bonus_accrued.json"])
NINE = 1_788_588_000.0
ROUTES = """\
- id: bonus-accrued
  on: bonus.accrued
  lane: app-push
  ttl: 12h
  deliver_within: 2h
  thread: event.bonus.operation_id
  wordings:
    - {title: "Bonuses", text: "{{ event.bonus.amount }} of them", link: "{{ lane.slug }}://bonuses"}
    - {title: "Bonuses", text: "There are some"}
- id: staff-news
  on: bonus.spent
  lane: staff
  ttl: 1h
  wordings: [{text: "Spent"}]
"""


def event(number: int, **changed: Any) -> dict[str, Any]:
    minute = f"2026-09-05T09:{number % 60:02}:00+03:00"
    bonus = ACCRUED["bonus"] | {"operation_id": f"b-{number}"}
    return ACCRUED | {"event_id": f"event-{number}", "occurred_at": minute, "bonus": bonus} | changed


def record(at: float, offset: int, value: dict[str, Any]) -> dict[str, Any]:
    where = {"topic": "shop.bonuses", "partition": 0, "offset": offset, "timestamp": at}
    return {**where, "key": "123", "value": json.dumps(value), "headers": []}


@pytest.fixture
def routes(tmp_path: Path) -> RouteSet:
    folder = tmp_path / "routes"
    folder.mkdir()
    (folder / "shop.yaml").write_text(ROUTES, encoding="utf-8")
    (folder / "notes.txt").write_text("not a route", encoding="utf-8")
    loaded = read_routes(folder)
    assert isinstance(loaded, RouteSet)
    return loaded


def traffic(tmp_path: Path, routes: RouteSet, *lines: object) -> RecordedTraffic:
    path = tmp_path / "events.jsonl"
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return RecordedTraffic(path, routes, "app-push")


def test_the_lanes_are_those_that_the_routes_name(routes: RouteSet) -> None:
    assert lanes_of(routes) == ("app-push", "staff")


def test_mistakes_in_routes_are_told_with_their_file(tmp_path: Path) -> None:
    (tmp_path / "bad.yml").write_text("- id: Bad Id\n", encoding="utf-8")
    problems = read_routes(tmp_path)
    assert isinstance(problems, list)
    assert any("bad.yml" in str(problem) for problem in problems)


def test_plain_events_arrive_when_they_occurred(tmp_path: Path, routes: RouteSet) -> None:
    arrivals = list(traffic(tmp_path, routes, event(5), event(2), "").arrivals())
    assert [arrival.at - NINE for arrival in arrivals] == [120.0, 300.0]
    first = arrivals[0].command
    assert (first.recipient, first.arrived, first.deadline - first.arrived) == ("123", NINE + 120.0, 43_200.0)
    assert first.wordings[0].link == "app://bonuses"
    assert len(first.wordings) == 2


def test_records_arrive_when_the_broker_had_them(tmp_path: Path, routes: RouteSet) -> None:
    lines = [record(NINE + 900.0, 1, event(5)), record(NINE + 600.0, 0, event(2))]
    arrivals = list(traffic(tmp_path, routes, *lines).arrivals())
    assert [(arrival.at - NINE, arrival.command.arrived - NINE) for arrival in arrivals] == [
        (600.0, 120.0),
        (900.0, 300.0),
    ]


def test_what_is_no_event_is_counted_and_passed_over(tmp_path: Path, routes: RouteSet) -> None:
    lines = [event(1), "{", "[1]", event(2, type="order.unheard_of"), event(3, occurred_at="soon"), event(4, shop="x")]
    recorded = traffic(tmp_path, routes, *lines, event(5, occurred_at="2026-09-05T09:05:00"))
    assert len(list(recorded.arrivals())) == 2
    assert recorded.seen == {"records": 7, "rejected": 4, "ignored": 1, "commands": 2}


def test_a_topic_can_be_simulated_again_and_again(tmp_path: Path, routes: RouteSet) -> None:
    recorded = traffic(tmp_path, routes, *(event(number) for number in range(60)), event(7))
    figures = [run_day(recorded.arrivals(), LaneModel(POLICIES["turn"]())) for _ in range(2)]
    assert figures[0] == figures[1]
    assert figures[0].whole.published == figures[0].whole.delivered == 60
    assert figures[0].whole.in_time_ratio == 1.0


def test_a_route_that_fails_on_an_event_is_counted(tmp_path: Path, routes: RouteSet) -> None:
    recorded = traffic(tmp_path, routes, event(1, customer=None))
    assert list(recorded.arrivals()) == []
    assert recorded.seen["records"] == 1
