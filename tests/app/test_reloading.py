"""Routes are read anew as a whole or not at all, under traffic too: nothing is lost, and no text is of half a set."""

import asyncio
import json
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from consumer.app.deployed import Deployed, planners_of
from consumer.app.families import RELOADS
from consumer.app.metrics import Metrics
from consumer.app.page.history import History
from consumer.app.page.rendering import render_live, render_page
from consumer.app.reloading import TORN, Disk, Reading, Reload, Reloading, read_anew, standing_of, tell_reload
from consumer.app.setup import Setup, Signature, load_setup, route_files, route_signature
from consumer.app.state import RoutesStanding, State
from consumer.app.wiring import expected
from tests.app.support import CONFIG, ENVIRON, ROUTES, Hand, setup_of
from tests.core.planning import order, planned, record
from tests.engine.harness import SOURCE, World
from tests.virtual import virtual

ROUTE = """\
- id: {id}
  on: order.paid
  lane: app-push
  to: {to}
  ttl: 12h
  ladder: off
  wordings: [{{title: "{id}", text: "version {version}"}}]
"""


class Near(Disk):
    """A disk that answers at once: virtual time does not wait for threads."""

    async def read(self, setup: Setup) -> Reading:
        return read_anew(setup)

    async def look(self, setup: Setup) -> Signature:
        return route_signature(setup)


class Folder:
    """Two route files whose texts name their version; it can be spoilt in several ways."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.write(0)

    def write(self, version: int) -> None:
        (self.path / "routes").mkdir(parents=True, exist_ok=True)
        for name, to in (("first", "event.customer.id"), ("second", "event.customer.phone")):
            text = ROUTE.format(id=name, to=to, version=version)
            (self.path / "routes" / f"{name}.yaml").write_text(text, "utf-8")

    @property
    def second(self) -> Path:
        return self.path / "routes" / "second.yaml"

    def spoil(self, number: int) -> None:
        """A new version of the first file, and a second one that must not be taken."""
        self.write(10_000 + number)
        text = self.second.read_text("utf-8")
        spoilt = (
            text[: text.index("wordings")],
            text.replace("version", "{{ order.nothing }}"),
            text.replace("app-push", "app-psh"),
            text.replace("event.customer.phone", "event.order.id"),
            "",
            text.replace("ttl: 12h", "\tttl: 12h"),
            text + text,
        )
        self.second.write_text(spoilt[number % len(spoilt)], "utf-8")


def setup_in(folder: Path, config: str = CONFIG) -> Setup:
    (folder / "vestnik.yaml").write_text(config, "utf-8")
    found = load_setup(folder / "vestnik.yaml", ENVIRON)
    assert isinstance(found, Setup), [str(problem) for problem in found]
    return found


def paid(number: int) -> bytes:
    event = order(type="order.paid", event_id=f"e-{number}", order__id=f"o-{number}", order__status="paid")
    event["customer"] |= {"id": f"c-{number}", "phone": f"+7900{number:07d}"}
    event["occurred_at"] = "2023-11-14T22:13:20+00:00"
    return json.dumps(event).encode()


RELOADED, BAD_EVERY = 200, 4


@virtual
async def two_hundred_reloads(path: Path) -> None:
    folder, world = Folder(path), World()
    setup = setup_in(path)
    deployed = Deployed(planners_of(setup))
    told: list[Reload] = []
    reloading = Reloading(setup, deployed, told.append, Near())
    process = world.process(planner=deployed.of("app-push")).start()
    published = 0
    sound: dict[str, int] = {setup.routes_version: 0}
    for number in range(1, RELOADED + 1):
        for _ in range(5):
            world.broker.publish(SOURCE, paid(published), key=b"%d" % published)
            published += 1
            await asyncio.sleep(0.1)
        if number % BAD_EVERY:
            folder.write(number)
        else:
            folder.spoil(number // BAD_EVERY)
        reload = await reloading.reload()
        sound.setdefault(reload.version, number)
    await world.settled()
    await process.stop()
    assert Counter(reload.outcome for reload in told) == {"loaded": 150, "refused": 50}
    assert all(reload.problems for reload in told if reload.outcome == "refused")
    by_person: dict[str, str] = {push.recipient: push.message.text for push in world.provider.pushes}
    assert len(by_person) == len(world.provider.pushes) == 2 * published
    assert world.ends() == {"delivered": 2 * published}
    versions = {f"version {number}" for number in sound.values()}
    for number in range(published):
        first, second = by_person[f"c-{number}"], by_person[f"7900{number:07d}"]
        assert first == second
        assert first in versions
    assert len(set(by_person.values())) > 100


def test_two_hundred_reloads_under_traffic_lose_nothing_and_no_text_is_of_half_a_set(tmp_path: Path) -> None:
    two_hundred_reloads(tmp_path)


@virtual
async def waiting_over_a_reload(path: Path) -> None:
    folder, world = Folder(path), World()
    deployed = Deployed(planners_of(setup := setup_in(path)))
    reloading = Reloading(setup, deployed, lambda _: None, Near())
    world.provider.hanging.clear()
    process = world.process(planner=deployed.of("app-push"), in_flight=1).start()
    for number in range(3):
        world.broker.publish(SOURCE, paid(number), key=b"k")
    await asyncio.sleep(5)
    folder.write(1)
    assert (await reloading.reload()).outcome == "loaded"
    world.broker.publish(SOURCE, paid(3), key=b"k")
    world.provider.hanging.set()
    await world.settled()
    await process.stop()
    texts = {push.recipient: push.message.text for push in world.provider.pushes}
    assert {texts[f"c-{number}"] for number in range(3)} == {"version 0"}
    assert texts["c-3"] == "version 1"


def test_what_waits_keeps_its_wording_over_a_reload(tmp_path: Path) -> None:
    waiting_over_a_reload(tmp_path)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, 'the key "wordings" is missing'),
        (1, 'the event has no field "order.nothing"'),
        (2, 'there is no lane "app-psh"; did you mean "app-push"?'),
        (3, "to is event.order.id, and the route that is deployed has event.customer.phone; end it with until:"),
        (4, "this file is empty, as if it were half written; remove it if that is meant"),
        (5, "not YAML"),
        (6, "this id stands twice"),
    ],
)
async def test_a_bad_set_is_refused_with_its_reason_and_the_old_one_works_on(
    tmp_path: Path, number: int, words: str
) -> None:
    folder = Folder(tmp_path)
    deployed = Deployed(planners_of(setup := setup_in(tmp_path)))
    before = deployed.planners
    folder.spoil(number)
    reload = await Reloading(setup, deployed, lambda _: None).reload()
    assert (reload.outcome, reload.version) == ("refused", setup.routes_version)
    assert any("second.yaml:" in problem and words in problem for problem in reload.problems), reload.problems
    assert deployed.planners is before
    plan = planned(deployed.of("app-push").plan(record(order(type="order.paid"))))
    assert {command.wordings[0].text for command in plan.commands} == {"version 0"}


async def test_a_route_that_moves_to_another_lane_is_refused(tmp_path: Path) -> None:
    lane = CONFIG[CONFIG.index("  app-push:") : CONFIG.index("routes:")]
    other = lane.replace("app-push", "other").replace("push.example", "other.example")
    setup = setup_of(tmp_path, CONFIG.replace("routes: routes", f"{other}routes: routes"))
    (tmp_path / "routes" / "orders.yaml").write_text(ROUTES.replace("lane: app-push", "lane: other"), "utf-8")
    reload = await Reloading(setup, Deployed(planners_of(setup)), lambda _: None).reload()
    assert "lane is other, and the route that is deployed has app-push" in reload.problems[0]


async def test_routes_that_are_what_is_deployed_change_nothing(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    told: list[Reload] = []
    reloading = Reloading(setup_in(tmp_path), Deployed({}), told.append)
    folder.spoil(0)
    await reloading.reload()
    folder.write(0)
    await reloading.reload()
    assert [reload.outcome for reload in told] == ["refused", "unchanged"]


class Torn(Near):
    """A disk on which somebody is writing at the first so many looks."""

    def __init__(self, times: int) -> None:
        self.times = times

    async def read(self, setup: Setup) -> Reading:
        self.times -= 1
        found = read_anew(setup)
        return found if self.times < 0 else replace(found, problems=(TORN,))


@pytest.mark.parametrize(("times", "outcome"), [(2, "loaded"), (9, "refused")])
def test_files_that_change_while_they_are_read_are_read_again(tmp_path: Path, times: int, outcome: str) -> None:
    @virtual
    async def torn() -> None:
        folder = Folder(tmp_path)
        reloading = Reloading(setup_in(tmp_path), Deployed({}), lambda _: None, Torn(times))
        folder.write(1)
        assert (await reloading.reload()).outcome == outcome

    torn()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - virtual time
            await asyncio.sleep(0.1)


def test_files_that_change_are_read_when_they_have_stood_still(tmp_path: Path) -> None:
    @virtual
    async def watched() -> None:
        folder = Folder(tmp_path)
        setup = setup_in(tmp_path, CONFIG + "reload: {watch: 2s}\n")
        told: list[Reload] = []
        reloading = Reloading(setup, Deployed({}), told.append, Near())
        task = asyncio.create_task(reloading.run())
        await asyncio.sleep(9)
        assert told == []
        folder.write(1)
        os.utime(folder.second, (1, 1))
        await until(lambda: bool(told))
        await asyncio.sleep(9)
        task.cancel()
        await asyncio.wait({task})
        assert [reload.outcome for reload in told] == ["loaded"]

    watched()


async def test_it_is_read_when_it_is_asked_for(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    told: asyncio.Queue[Reload] = asyncio.Queue()
    reloading = Reloading(setup_in(tmp_path), Deployed({}), told.put_nowait)
    task = asyncio.create_task(reloading.run())
    folder.write(1)
    reloading.ask()
    assert (await told.get()).outcome == "loaded"
    task.cancel()
    await asyncio.wait({task})


def test_the_folders_of_a_config_map_are_read_once(tmp_path: Path) -> None:
    """Kubernetes keeps the files in a folder with a date, and links to them."""
    setup = setup_of(tmp_path)
    hidden = tmp_path / "routes" / "..2026_11_22"
    hidden.mkdir()
    (tmp_path / "routes" / "orders.yaml").rename(hidden / "orders.yaml")
    (tmp_path / "routes" / "..data").symlink_to(hidden.name)
    (tmp_path / "routes" / "orders.yaml").symlink_to("..data/orders.yaml")
    assert list(route_files(setup.overridden.tree, setup.base).texts.values()) == [ROUTES]
    assert len(route_signature(setup)) == 1


# --- what is seen of it -----------------------------------------------------------------------------------------------


def reloads(path: Path) -> tuple[Setup, list[Reload]]:
    """A refusal, the same files mended to what is deployed, and a new version."""
    folder = Folder(path)
    setup = setup_in(path)
    told: list[Reload] = []
    reloading = Reloading(setup, Deployed({}), told.append)

    async def run() -> None:
        for change, number in ((folder.spoil, 1), (folder.write, 0), (folder.write, 7)):
            change(number)
            await reloading.reload()

    asyncio.run(run())
    return setup, told


def test_a_refusal_stays_in_sight_until_the_files_are_mended(tmp_path: Path) -> None:
    setup, (refused, unchanged, loaded) = reloads(tmp_path)
    standing = standing_of(refused, RoutesStanding(setup.routes_version, 2, 100.0))
    assert (standing.version, standing.count, standing.at) == (setup.routes_version, 2, 100.0)
    assert standing.refused not in ("", setup.routes_version)
    assert "order.nothing" in standing.problems[0]
    mended = standing_of(unchanged, standing)
    assert mended == RoutesStanding(setup.routes_version, 2, 100.0)
    assert standing_of(loaded, standing) == RoutesStanding(loaded.version, 2, loaded.at)
    assert loaded.version != setup.routes_version


@pytest.mark.parametrize(
    ("language", "words"), [("en", "New routes were refused"), ("ru", "Новые маршруты не приняты")]
)
def test_the_page_says_which_routes_are_deployed_and_why_newer_ones_are_not(
    tmp_path: Path, language: str, words: str
) -> None:
    setup, (refused, *_) = reloads(tmp_path)
    state = State([], Hand(), Hand())
    state.routes = RoutesStanding(setup.routes_version, 2, 100.0)
    assert words not in render_live(state.report(), language)
    state.routes = standing_of(refused, state.routes)
    live = render_live(state.report(), language)
    assert words in live
    assert "order.nothing" in live
    assert setup.routes_version in render_page(state.report(), History((), Hand()).report(), (), language)
    assert state.report()["routes"]["refused"] == refused.refused


def lines_of(metrics: Metrics) -> dict[str, str]:
    lines = [line for line in metrics.render().decode().splitlines() if not line.startswith("#")]
    return dict(line.rsplit(" ", 1) for line in lines)


def test_metrics_tell_versions_apart_and_count_what_came_of_reloads(tmp_path: Path) -> None:
    setup, told = reloads(tmp_path)
    metrics = Metrics(expected(setup, "1"))
    before = lines_of(metrics)
    assert before[f'vestnik_routes_info{{version="{setup.routes_version}"}}'] == "1.0"
    assert {before[f'vestnik_routes_reload_total{{outcome="{outcome}"}}'] for outcome in RELOADS} == {"0.0"}
    metrics.routes_reloaded("refused", expected(told[0].setup, "1"))
    assert lines_of(metrics)["vestnik_routes_reload_refused"] == "1.0"
    metrics.routes_reloaded("loaded", expected(told[2].setup, "1"))
    after = lines_of(metrics)
    assert [name for name in after if name.startswith("vestnik_routes_info")] == [
        f'vestnik_routes_info{{version="{told[2].version}"}}'
    ]
    assert [name for name in after if name.startswith("vestnik_config_info")] != [
        name for name in before if name.startswith("vestnik_config_info")
    ]
    assert after["vestnik_routes_reload_refused"] == "0.0"


async def test_a_route_that_comes_while_the_process_works_has_metrics_of_its_own(tmp_path: Path) -> None:
    setup = setup_of(tmp_path)
    (tmp_path / "routes" / "more.yaml").write_text(ROUTES.replace("order-paid", "order-more"), "utf-8")
    metrics = Metrics(expected(setup, "1"))
    reload = await Reloading(setup, Deployed({}), lambda _: None).reload()
    metrics.routes_reloaded(reload.outcome, expected(reload.setup, "1"))
    found = [name for name in lines_of(metrics) if 'route="order-more"' in name]
    assert any(name.startswith("vestnik_route_info") for name in found)
    assert any("_total{" in name for name in found)


def test_the_log_has_a_line_for_each_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, told = reloads(tmp_path)
    for reload in told:
        tell_reload(reload)
    said = capsys.readouterr().out
    assert all(word in said for word in ("routes_refused", "routes_mistake", "routes_unchanged", "routes_loaded"))
