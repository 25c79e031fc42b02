"""Real orders through the simulation, with the catalogue's routes."""

import json
import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from consumer.demo.olist import BRAZIL
from consumer.demo.olist_sample import catalogue_routes, olist_sample
from consumer.simulate.commands import add_to
from consumer.simulate.recorded import Sample
from tests.demo.test_olist import CUSTOMERS, ITEMS, ORDERS, PAYMENTS

OLIST = Path(os.environ.get("OLIST_DIR", Path(__file__).resolve().parents[3] / "shared" / "data" / "olist"))
FRIDAY = datetime(2017, 11, 24)  # noqa: DTZ001 - as the command line gives it
APP = typer.Typer()
add_to(APP, olist_sample)


def call(*words: object) -> Result:
    return CliRunner().invoke(APP, [str(word) for word in words])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {"orders": ORDERS, "customers": CUSTOMERS, "order_payments": PAYMENTS, "order_items": ITEMS}
    for name, text in files.items():
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    return tmp_path


def test_a_day_of_the_data_is_what_happened_on_it_at_its_own_times(folder: Path) -> None:
    sample = olist_sample(folder, FRIDAY, 1.0)
    assert isinstance(sample, Sample)
    happened = list(sample.happenings())
    first = datetime(2017, 11, 24, 10, tzinfo=BRAZIL)
    assert [happening.at - first.timestamp() for happening in happened[:3]] == [0.0, 1800.0, 3600.0]
    assert len(happened) == 6
    assert {datetime.fromisoformat(json.loads(event)["occurred_at"]).timestamp() for _, event in happened} == {
        happening.at for happening in happened
    }


def test_the_speed_presses_the_times_together_from_the_first_event_on(folder: Path) -> None:
    slow, fast = (olist_sample(folder, None, speed) for speed in (1.0, 24.0))
    assert isinstance(slow, Sample)
    assert isinstance(fast, Sample)
    at, pressed = ([happening.at for happening in sample.happenings()] for sample in (slow, fast))
    assert at[0] == pressed[0]
    assert pressed[-1] - pressed[0] == pytest.approx((at[-1] - at[0]) / 24)
    assert at[-1] - at[0] > timedelta(days=80).total_seconds()


def test_a_day_on_which_nothing_happened_is_told_so(folder: Path) -> None:
    refused = call("--olist", folder, "--day", "2015-01-01")
    assert (refused.exit_code, "nothing happened" in refused.stderr) == (2, True)


def test_a_folder_without_the_files_is_told_so(tmp_path: Path) -> None:
    refused = call("--olist", tmp_path)
    assert (refused.exit_code, "no orders.csv" in refused.stderr) == (2, True)


def test_the_catalogue_tells_the_customers_of_the_data_set(folder: Path) -> None:
    result = call("--olist", folder, "--day", "2017-11-24", "-o", "json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["simulated"]["olist"] == str(folder)
    assert (told["simulated"]["preset"], told["simulated"]["events"]) == (None, None)
    assert told["simulated"]["read"]["records"] == 6
    assert told["policies"]["turn"]["published"] > 0
    assert told["policies"]["turn"]["expired"] == 0


def test_another_lane_or_other_routes_can_be_asked_for(folder: Path, tmp_path: Path) -> None:
    refused = call("--olist", folder, "--lane", "sms")
    assert (refused.exit_code, "unknown lane 'sms': app-push, staff" in refused.stderr) == (2, True)
    routes = tmp_path / "routes"
    routes.mkdir()
    text = '- {id: paid, on: order.paid, lane: sms, ttl: 1h, wordings: [{title: Paid, text: "{{ order.id }}"}]}\n'
    (routes / "a.yaml").write_text(text)
    told = json.loads(call("--olist", folder, "--day", "2017-11-24", "--routes", routes, "-o", "json").stdout)
    assert told["policies"]["turn"]["delivered"] == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--day", "2017-11-24"), "--day and --speed belong to --olist"),
        (("--olist", ".", "--events", __file__), "say --events or --olist"),
        (("--olist", ".", "--scale", "2"), "not to --olist"),
    ],
)
def test_options_that_do_not_go_together_are_refused(words: tuple[str, ...], said: str) -> None:
    refused = call(*words)
    assert (refused.exit_code, said in refused.stderr) == (2, True)


def test_the_routes_of_the_catalogue_have_no_mistakes() -> None:
    assert catalogue_routes().of_lane("app-push")


@pytest.mark.skipif(not OLIST.is_dir(), reason="olist: no data; set OLIST_DIR")
def test_a_day_of_the_real_olist_orders_is_told_in_time_whoever_fails() -> None:
    words = ("--olist", OLIST, "--day", "2017-11-24", "-p", "turn", "-o", "json")
    calm, rough = (json.loads(call(*words, "--errors", errors).stdout)["policies"]["turn"] for errors in (0, 10))
    assert calm["published"] == calm["delivered"] > 100
    assert calm["in_time"]["normal"] == 1.0
    assert rough["failed_requests"] > 5
    assert rough["delivered"] + rough["unknown"] + rough["superseded"] == rough["published"]
