"""The command line: what it prints, and how it ends."""

import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from consumer.app.cli import app
from consumer.app.commands.shared import FAILED, FINE, PARTLY, USAGE
from consumer.app.signals import StopRequest
from consumer.app.watching import CLEAR, watched
from consumer.catalogue import catalogue_files
from tests.app.support import CONFIG, ROUTES, write

LINES = """\
source: {lines: events.jsonl}
topics: {sources: [shop.orders]}
shops: {ducky: {slug: ducky}}
lanes:
  app-push: {provider: {type: console}, mode: live}
  staff: {provider: {type: console}, mode: live}
admin: {port: 0}
"""


def call(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_what_init_writes_passes_check(tmp_path: Path) -> None:
    begun = call("init", tmp_path / "shop")
    assert (begun.exit_code, "vestnik check" in begun.stdout) == (FINE, True)
    checked = call("check", "-c", tmp_path / "shop")
    assert checked.exit_code == FINE, checked.output
    assert re.search(r"Fine: 2 lanes, \d+ routes, \d+ examples\.", checked.stdout)


def test_what_init_writes_tells_nobody_by_accident(tmp_path: Path) -> None:
    call("init", tmp_path)
    shown = json.loads(call("config", "show", "-c", tmp_path, "-o", "json").stdout)
    modes = {each["name"]: each["value"] for each in shown if each["name"].endswith(".mode")}
    assert modes == {"lanes.app-push.mode": "allow_list", "lanes.staff.mode": "allow_list"}


def test_init_never_overwrites(tmp_path: Path) -> None:
    (tmp_path / "routes").mkdir()
    mine = tmp_path / "routes" / "staff.yaml"
    mine.write_text("mine")
    begun = call("init", tmp_path)
    assert (begun.exit_code, "nothing was written" in begun.stderr) == (FAILED, True)
    assert mine.read_text() == "mine"
    assert not (tmp_path / "vestnik.yaml").exists()


def test_init_into_what_is_no_folder_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    begun = call("init", tmp_path / "file")
    assert (begun.exit_code, "cannot be written" in begun.stderr) == (FAILED, True)


@pytest.mark.parametrize(
    "command", [("check",), ("run",), ("preview",), ("config", "show"), ("topics", "check"), ("topics", "create")]
)
def test_a_bad_configuration_ends_every_command_with_2_and_every_mistake(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    path = write(tmp_path, CONFIG.replace("mode: live", "mode: dead").replace("bootstrap:", "bootstarp:"))
    found = call(*command, "-c", path)
    assert found.exit_code == USAGE
    assert "vestnik.yaml:2:" in found.stderr
    assert "vestnik.yaml:13:" in found.stderr
    assert "Traceback" not in found.output


def test_mistakes_are_told_to_machines_too(tmp_path: Path) -> None:
    found = call("check", "-c", write(tmp_path, CONFIG.replace("mode: live", "mode: dead")), "--output", "json")
    assert found.exit_code == USAGE
    assert json.loads(found.stdout)["problems"][0]["line"] == 13
    sound = call("check", "-c", write(tmp_path), "--output", "json")
    assert json.loads(sound.stdout)["routes"] == 1


@pytest.mark.parametrize("words", [("chekc",), ("check", "--outptu", "json"), ("check", "-o", "xml")])
def test_wrong_usage_ends_with_2(words: tuple[str, ...]) -> None:
    assert call(*words).exit_code == USAGE


def test_a_preview_shows_each_wording(catalogue: Path) -> None:
    shown = call("preview", "order-ready-for-pickup", "-c", catalogue, "-o", "json")
    assert shown.exit_code == FINE
    found = json.loads(shown.stdout)
    assert {each["locale"] for each in found} == {"ru", "en"}
    levels = [each for each in found if each["locale"] == "ru"]
    assert [each["level"] for each in levels] == list(range(len(levels)))
    assert len({(each["title"], each["text"]) for each in levels}) == len(levels) > 1
    assert levels[0]["unique"]
    assert levels[-1]["unique"] == []
    assert levels[0]["people_a_minute"] < levels[-1]["people_a_minute"]


def test_a_preview_is_drawn_as_a_phone_would(catalogue: Path) -> None:
    shown = call("preview", "order-paid", "-c", catalogue)
    assert "order-paid: the most personal, ru" in shown.stdout
    assert "coarser, level 1, en" in shown.stdout
    assert re.search(r"imshop title +█+░+ \d+ of 50", shown.stdout)
    assert "everybody has a text of their own: order.id" in shown.stdout
    assert re.search(r"reaches [0-9,]+ people a minute in time", shown.stdout)


def test_a_preview_may_be_in_another_language(catalogue: Path) -> None:
    english = call("preview", "order-paid", "-c", catalogue, "--locale", "en", "-o", "json").stdout
    assert not re.search(r"[А-Яа-я]{3}", json.loads(english)[1]["title"])


def test_a_preview_says_who_would_be_told_nothing_and_what_is_too_long(catalogue: Path) -> None:
    event = json.loads((catalogue / "examples" / "order_paid.json").read_text())
    event["customer"]["consents"]["push"] = False
    event["order"]["public_id"] = "М" * 60
    (catalogue / "mine.json").write_text(json.dumps(event))
    shown = call("preview", "order-paid", "-c", catalogue, "--event", catalogue / "mine.json").stdout
    assert "nobody would be told: when is false" in shown
    assert "of 50, cut off on a phone" in shown


def test_a_preview_of_what_cannot_be_said_shows_why(tmp_path: Path) -> None:
    path = write(tmp_path, routes=ROUTES.replace("Order {{ order.id }}", "{{ order.delivery.title }}"))
    event = json.loads(catalogue_files()["examples/order_paid.json"])
    event["order"]["delivery"]["title"] = None
    (tmp_path / "event.json").write_text(json.dumps(event))
    shown = call("preview", "-c", path, "--event", tmp_path / "event.json")
    assert "cannot be said: title: order.delivery.title" in shown.stdout


def test_a_preview_shows_the_text_though_its_example_expects_another(catalogue: Path) -> None:
    file = catalogue / "routes" / "customer_orders.yaml"
    text = file.read_text()
    file.write_text(text.replace("expect: {title: ", "expect: {title: Nearly ", 1))
    shown = call("preview", "order-paid", "-c", catalogue)
    assert (shown.exit_code, "order-paid: the most personal" in shown.stdout) == (FINE, True)
    assert "note: " in shown.stderr
    assert "expected is " in shown.stderr
    assert call("check", "-c", catalogue).exit_code == USAGE


def test_a_preview_takes_one_event_at_a_time(catalogue: Path) -> None:
    both = call("preview", "-c", catalogue, "--last", 3, "--at", "a:0:1")
    assert (both.exit_code, "say one of them" in both.stderr) == (USAGE, True)
    nowhere = call("preview", "-c", catalogue, "--at", "here")
    assert (nowhere.exit_code, "it is written topic:partition:offset" in nowhere.stderr) == (USAGE, True)


def test_a_preview_is_shown_again_whenever_a_file_is_saved(catalogue: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown: list[int] = []
    routes = catalogue / "routes" / "customer_orders.yaml"
    sound = routes.read_text()
    changes = iter((lambda: None, lambda: routes.write_text("- nothing"), lambda: routes.write_text(sound + "\n")))

    def look() -> bool:
        change = next(changes, None)
        if change is not None:
            change()
        return change is not None

    def show() -> None:
        result = call("preview", "order-paid", "-c", catalogue)
        shown.append(result.exit_code)
        raise typer.Exit(result.exit_code)

    watched(catalogue, catalogue / "examples" / "order_paid.json", show, look)
    assert shown == [FINE, USAGE, FINE]


def test_the_former_text_stays_until_the_new_one_is_whole(
    catalogue: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is wiped while the files are read again; then the screen is wiped and written in one."""
    meanwhile: list[object] = []
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)

    def show() -> None:
        typer.echo("read")
        typer.echo("a mistake", err=True)
        told = capsys.readouterr()
        # A terminal stays one while its text is held back, so that colours stay.
        meanwhile.extend((told.out + told.err, sys.stdout.isatty(), sys.stderr.isatty()))
        raise typer.Exit(USAGE)

    watched(catalogue, None, show, lambda: False)
    told = capsys.readouterr()
    assert (meanwhile, told.out, told.err) == (["", True, False], f"{CLEAR}read\n", "a mistake\n")


def test_a_preview_of_an_event_of_one_s_own(catalogue: Path) -> None:
    event = catalogue / "examples" / "order_paid.json"
    shown = call("preview", "order-paid", "-c", catalogue, "--event", event, "-o", "json")
    assert (shown.exit_code, len(json.loads(shown.stdout)) > 1) == (FINE, True)
    wrong = call("preview", "order-created", "-c", catalogue, "--event", event)
    assert (wrong.exit_code, "the event is order.paid" in wrong.stderr) == (FAILED, True)


@pytest.mark.parametrize(
    ("content", "words"), [(None, "cannot be read"), ("{", "is no event"), ('{"type": "x"}', "is no")]
)
def test_a_preview_of_what_is_no_event_says_why(tmp_path: Path, content: str | None, words: str) -> None:
    event = tmp_path / "event.json"
    if content is not None:
        event.write_text(content)
    shown = call("preview", "order-paid", "-c", write(tmp_path), "--event", event)
    assert (shown.exit_code, words in shown.stderr) == (FAILED, True)


def test_a_preview_of_all_routes_is_partly_done_when_some_have_no_example(catalogue: Path) -> None:
    assert call("preview", "-c", catalogue).exit_code == FINE
    (catalogue / "routes" / "more.yaml").write_text(ROUTES.replace("id: order-paid", "id: another"))
    shown = call("preview", "-c", catalogue)
    assert (shown.exit_code, "another has no example" in shown.stderr) == (PARTLY, True)


def test_an_unknown_route_names_the_nearest(catalogue: Path) -> None:
    shown = call("preview", "order-payd", "-c", catalogue)
    assert (shown.exit_code, 'did you mean "order-paid"?' in shown.stderr) == (USAGE, True)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("Order {{ order.id }} is paid", "Paid", 'title is "Paid"'),
        ("order_paid.json", "order_created.json", "an event of another type than order.paid"),
        ("order_paid.json", "nothing.json", 'there is no file "nothing.json"'),
        ("level: 0", "level: 7", "there is no level 7; the last one is 1"),
        ("level: 0", "sent: false", "something is sent"),
        (
            "lane: app-push",
            "lane: app-push\n  when: not event.customer.consents.push",
            "nothing is sent: when is false",
        ),
    ],
)
def test_an_example_that_does_not_hold_is_a_mistake(tmp_path: Path, old: str, new: str, words: str) -> None:
    (tmp_path / "routes").mkdir()
    for name in ("order_paid.json", "order_created.json"):
        (tmp_path / "routes" / name).write_text(catalogue_files()[f"examples/{name}"])
    examples = (
        "  examples:\n    - event: order_paid.json\n      level: 0\n      expect: {title: Order 05671863 is paid}\n"
    )
    routes = ROUTES + examples
    assert call("check", "-c", write(tmp_path, routes=routes)).exit_code == FINE
    found = call("check", "-c", write(tmp_path, routes=routes.replace(old, new, 1)))
    assert (found.exit_code, words in found.stderr) == (USAGE, True), found.output


def test_settings_are_printed_with_their_origin(tmp_path: Path) -> None:
    shown = call("config", "show", "-c", write(tmp_path))
    assert re.search(r"admin\.port +9464 +default\n", shown.stdout)
    assert "********" in shown.stdout


def test_schemas_are_json() -> None:
    assert json.loads(call("config", "schema").stdout)["title"] == "vestnik.yaml"
    assert json.loads(call("config", "schema", "--routes").stdout)["type"] == "array"


def test_topics_are_printed_without_asking_a_broker(tmp_path: Path) -> None:
    shown = call("topics", "check", "--print", "-c", write(tmp_path), "--replicas", 1)
    assert shown.exit_code == FINE
    assert "--topic vestnik.journal.app-push" in shown.stdout
    assert "min.insync.replicas" not in shown.stdout


def test_topics_of_a_configuration_without_kafka_are_none(tmp_path: Path) -> None:
    (tmp_path / "vestnik.yaml").write_text(CONFIG.replace("kafka:\n  bootstrap: localhost:9092", "source: {lines: x}"))
    write(tmp_path, (tmp_path / "vestnik.yaml").read_text())
    assert call("topics", "check", "-c", tmp_path).exit_code == USAGE


def test_an_unreachable_broker_is_a_clear_line(tmp_path: Path) -> None:
    path = write(tmp_path, CONFIG.replace("localhost:9092", "127.0.0.1:1"))
    found = call("topics", "check", "-c", path)
    assert (found.exit_code, "broker_unreachable" in found.stderr) == (FAILED, True)
    assert "Traceback" not in found.output


@pytest.mark.usefixtures("logging_restored")
def test_a_file_of_events_becomes_pushes_on_the_terminal(catalogue: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole main job, from a file to the console, ending by itself; a second run has nothing left to say."""
    monkeypatch.setattr("consumer.app.cli.STOP", StopRequest())
    (catalogue / "vestnik.yaml").write_text(LINES)
    event = json.loads((catalogue / "examples" / "order_paid.json").read_text())
    event["occurred_at"] = datetime.now(UTC).isoformat()
    (catalogue / "events.jsonl").write_text(json.dumps(event) + "\nnot json\n")
    first = call("run", "-c", catalogue, "--once")
    assert first.exit_code == FINE, first.output
    assert first.stdout.count("push ") == 1
    assert "invalid_json" in (catalogue / "out" / "vestnik.dead-letters.app-push.jsonl").read_text()
    second = call("run", "-c", catalogue, "--once")
    assert (second.exit_code, second.stdout.count("push ")) == (FINE, 0)


@pytest.mark.usefixtures("logging_restored")
def test_a_process_that_was_told_to_stop_while_it_began_stops_cleanly(
    catalogue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = StopRequest(leave=lambda code: None)
    stop.hear(15)
    monkeypatch.setattr("consumer.app.cli.STOP", stop)
    (catalogue / "vestnik.yaml").write_text(LINES)
    (catalogue / "events.jsonl").write_text("")
    ended = call("run", "-c", catalogue)
    assert ended.exit_code == FINE
    assert '"ended"' in ended.stderr


def test_five_mistakes_planted_in_the_catalogue_are_all_named_at_once(catalogue: Path) -> None:
    orders, bonuses = catalogue / "routes" / "customer_orders.yaml", catalogue / "routes" / "customer_bonuses.yaml"
    spoilt = orders.read_text("utf-8")
    for old, new in (
        ("order.public_id", "order.publik_id"),
        ("priority: urgent", "priorty: urgent"),
        ("ttl: ", "ttl: 3 parsecs # "),
        ("lane: app-push", "lane: app-posh"),
    ):
        spoilt = spoilt.replace(old, new, 1)
    orders.write_text(spoilt, "utf-8")
    bonuses.write_text(bonuses.read_text("utf-8").replace("| plural(", "| plurall(", 1), "utf-8")
    found = call("check", "-c", catalogue)
    assert found.exit_code == USAGE
    for words in ("publik_id", "priorty", "3 parsecs", 'no lane "app-posh"', 'unknown filter "plurall"', "5 mistakes"):
        assert words in found.stderr, found.stderr


def test_check_says_how_far_the_routes_of_a_scarce_lane_reach(catalogue: Path) -> None:
    shown = call("check", "-c", catalogue)
    head, *rows = (line for line in shown.stdout.splitlines() if not line.startswith(("warning", "Fine")))
    assert head.split()[:3] == ["route", "lane", "within"]
    assert any(row.startswith("order-ready-for-pickup ") and "one each / " in row for row in rows)
    assert any(" staff " in row for row in rows), "every lane is told of"
    reach = json.loads(call("check", "-c", catalogue, "-o", "json").stdout)["reach"]
    assert len(reach) == len(rows)
    for route in reach:
        personal, *coarser = route["wordings"]
        assert personal["pushes_per_minute"] >= 10
        assert personal["texts"] is None or personal["texts"] >= 1
        assert all(each["pushes_per_minute"] >= personal["pushes_per_minute"] for each in coarser)
