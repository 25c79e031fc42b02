"""Routes read anew while the process works: checked as a whole and swapped in one step, or refused with the reason.

Asked for by SIGHUP, or by the files themselves where the configuration says `reload.watch`. Only routes are read: for
anything else in the configuration a process begins anew. What is planned already keeps its wording.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import structlog

from consumer.app.checks import lane_facts
from consumer.app.deployed import Deployed, planners_of
from consumer.app.examples import example_files
from consumer.app.setup import Setup, Signature, digest_of, route_files, route_signature, routes_version
from consumer.app.state import RoutesStanding
from consumer.core.check import check_flawed, check_routes
from consumer.core.document import Problem
from consumer.core.plan import Planner
from consumer.core.routes import RouteSet, read_routes
from consumer.core.succession import moved_routes

# Files that are written just now are read again, so often and after so long.
_READINGS = 3
_PAUSE_SECONDS = 0.2
_PROBLEMS_LOGGED = 20

TORN = "the files were changed while they were read"

Outcome = Literal["loaded", "unchanged", "refused"]


@dataclass(frozen=True, slots=True)
class Reload:
    """What came of reading the routes anew. `version` is of the set that is deployed now; `refused` of the one that is
    not, with its `problems`. `at`: seconds since 1970."""

    outcome: Outcome
    setup: Setup
    at: float
    refused: str = ""
    problems: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        return self.setup.routes_version


@dataclass(frozen=True, slots=True)
class Reading:
    """A set of routes as the files hold it now."""

    setup: Setup
    problems: tuple[str, ...]
    planners: Mapping[str, Planner]


def read_anew(setup: Setup) -> Reading:
    """The routes of the files, checked against what runs, and planners of them where they are sound. Blocks."""
    before = route_signature(setup)
    files = route_files(setup.overridden.tree, setup.base)
    torn = route_signature(setup) != before
    reading = read_routes(files.texts, setup.sources.types)
    made = replace(
        setup,
        routes=reading.sound,
        digest=digest_of(setup.text, files.texts),
        routes_version=routes_version(files.texts),
    )
    problems = {*files.problems, *reading.problems, *_emptied(files.texts, reading.sound)}
    lanes = lane_facts(made)
    problems |= {*check_flawed(reading.flawed, lanes, example_files(reading.flawed))}
    problems |= {*check_routes(made.routes, lanes, example_files(made.routes.routes))}
    problems |= {*moved_routes(setup.routes, reading.sound)}
    told = tuple(str(problem) for problem in sorted(problems))
    if torn:
        told = (TORN,)
    return Reading(made, told, {} if told else planners_of(made))


def _emptied(texts: Mapping[str, str], routes: RouteSet) -> Iterator[Problem]:
    """An editor may empty a file before it writes it: a file without routes is no way to end them."""
    held = {loaded.tree.file for loaded in routes.routes}
    for file, text in texts.items():
        if file not in held and not text.strip():
            yield Problem(file, 1, "this file is empty, as if it were half written", "remove it if that is meant")


class Disk:
    """Where the files are. Asked in a thread: files are slow, and templates take their time to compile."""

    async def read(self, setup: Setup) -> Reading:
        """The routes as they are now."""
        return await asyncio.to_thread(read_anew, setup)

    async def look(self, setup: Setup) -> Signature:
        """What changes when they do."""
        return await asyncio.to_thread(route_signature, setup)


class Reloading:
    """Reads routes anew whenever it is asked; `told` hears what came of it."""

    def __init__(
        self, setup: Setup, deployed: Deployed, told: Callable[[Reload], object], disk: Disk | None = None
    ) -> None:
        self._setup = setup
        self._disk = disk or Disk()
        self._deployed = deployed
        self._told = told
        self._asked = asyncio.Event()
        self._watch_seconds = setup.config.reload.watch

    @property
    def setup(self) -> Setup:
        """What is deployed."""
        return self._setup

    def ask(self) -> None:
        """Read them anew, soon."""
        self._asked.set()

    async def run(self) -> None:
        """Until cancelled."""
        watch = asyncio.create_task(self._watch(self._watch_seconds)) if self._watch_seconds is not None else None
        try:
            while True:
                await self._asked.wait()
                self._asked.clear()
                await self.reload()
        finally:
            if watch is not None:
                watch.cancel()

    async def reload(self) -> Reload:
        """Read, check and swap. Read and compiled beside the loop; swapped on it."""
        reading = await self._disk.read(self._setup)
        for _ in range(_READINGS - 1):
            if reading.problems == (TORN,):
                await asyncio.sleep(_PAUSE_SECONDS)
                reading = await self._disk.read(self._setup)
        reload = self._settled(reading)
        self._told(reload)
        return reload

    def _settled(self, reading: Reading) -> Reload:
        if reading.problems:
            return Reload("refused", self._setup, time.time(), reading.setup.routes_version, reading.problems)
        if reading.setup.routes_version == self._setup.routes_version:
            return Reload("unchanged", self._setup, time.time())
        self._deployed.planners = reading.planners
        self._setup = reading.setup
        return Reload("loaded", self._setup, time.time())

    async def _watch(self, every_seconds: float) -> None:
        """Ask when the files have changed and then stood still for one look."""
        settled = previous = await self._disk.look(self._setup)
        while True:
            await asyncio.sleep(every_seconds)
            seen = await self._disk.look(self._setup)
            if seen == previous and seen != settled:
                settled = seen
                self._asked.set()
            previous = seen


# --- telling ----------------------------------------------------------------------------------------------------------


def standing_of(reload: Reload, before: RoutesStanding) -> RoutesStanding:
    """What the admin pages show after it. A refusal stays until the files hold what is deployed, or something sound."""
    match reload.outcome:
        case "refused":
            return replace(before, refused=reload.refused, refused_at=reload.at, problems=reload.problems)
        case "unchanged":
            return replace(before, refused="", refused_at=0.0, problems=())
        case "loaded":
            return RoutesStanding(reload.version, len(reload.setup.routes.routes), reload.at)


def tell_reload(reload: Reload) -> None:
    """A line in the log, and one for each mistake."""
    log = structlog.stdlib.get_logger("vestnik")
    if reload.outcome != "refused":
        log.info(f"routes_{reload.outcome}", version=reload.version, routes=len(reload.setup.routes.routes))
        return
    log.error("routes_refused", version=reload.version, refused=reload.refused, mistakes=len(reload.problems))
    for problem in reload.problems[:_PROBLEMS_LOGGED]:
        log.error("routes_mistake", detail=problem)
