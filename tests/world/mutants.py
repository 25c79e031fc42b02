"""Planted bugs: each takes one rule out of the engine or the core, and a world must notice that soon."""

import ast
import importlib
import inspect
import textwrap
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, cast

from tests.world.world import Result, run_world

SEEDS = 50
CORPUS = Path(__file__).with_name("seeds.txt")


def corpus() -> list[int]:
    """Seeds of worlds that once broke a promise."""
    lines = CORPUS.read_text("utf-8").splitlines()
    return [int(line.split()[0]) for line in lines if line.strip() and not line.startswith("#")]


def hunting_ground() -> list[int]:
    """The fifty seeds in which a planted bug is looked for: those that found one already, then the first ones."""
    return list(dict.fromkeys([*corpus(), *range(SEEDS)]))[:SEEDS]


@dataclass(frozen=True)
class Mutant:
    """In the source of `target` (module:function or module:Class.method) `old` becomes `new`. `also`: where two rules
    guard the same promise, the other one goes too."""

    name: str
    target: str
    old: str
    new: str
    also: "Mutant | None" = None


FLIGHT, TENURE, LANE, GATE = (f"consumer.engine.{name}" for name in ("flight", "tenure", "lane", "gate"))
DESK, DOUBTS, MEMORY = (f"consumer.core.{name}" for name in ("desk", "doubts", "memory"))
LANDING, THREADS = (f"consumer.core.{name}" for name in ("landing", "threads"))
BOOKS, LEDGER, CASE, OUTBOX = (f"consumer.core.{name}" for name in ("books", "ledger", "case", "outbox"))
PLAN, DOORMAN, LOT = (f"consumer.core.{name}" for name in ("plan", "doorman", "lot"))
CORE_REPEATS, REPEATS = "consumer.core.repeats", "consumer.engine.repeats"
QUOTA, RECOVERY, LETTERS = "consumer.core.quota", "consumer.engine.recovery", "consumer.engine.letters"

NO_LOOK_FOR_ENDS = Mutant("", f"{FLIGHT}:Flight._outdated", "memory.ended(command.id) is not None", "False")

MUTANTS = (
    # the look
    Mutant("no look for claims", f"{FLIGHT}:Flight._forbidden", "memory.epoch != self.batch.epoch", "False"),
    Mutant("no look at deadlines", f"{FLIGHT}:Flight._outdated", "command.deadline <= now", "False"),
    Mutant("looks into an old memory", f"{FLIGHT}:announce", "await office.follower.reached(appended.offset)", "0"),
    Mutant(
        "sent before the attempt is durable",
        f"{TENURE}:Tenure._depart",
        "await announce(self._office, flights.values())",
        "announced = asyncio.ensure_future(announce(self._office, flights.values()))",
    ),
    # the seat
    Mutant(
        "no claim check",
        f"{LANE}:Lane._claim",
        "ours = self._memory.epoch == claim.epoch and self._memory.owner == self._settings.member",
        "ours = True",
    ),
    Mutant(
        "skips a position after a revoke",
        f"{RECOVERY}:starting_offsets",
        "going_on = {tp: offset for",
        "going_on = {tp: offset + 1 for",
    ),
    # doubts
    Mutant("no doubts at a takeover", f"{DOUBTS}:Doubts.add", "for attempt in attempts", "for attempt in ()"),
    Mutant(
        "does not wait for late landings",
        f"{TENURE}:Tenure.settle_doubts",
        "asyncio.sleep(max(patience, 0.0))",
        "asyncio.sleep(0)",
    ),
    Mutant("doubts never settle", f"{TENURE}:Tenure.settle_doubts", "in self.desk.doubts", "in ()"),
    Mutant(
        "a doubt does not hold its thread",
        f"{DOUBTS}:Doubts.add",
        "self._outbox.fly(command.thread, command.rank)",
        "()",
    ),
    Mutant(
        "repeats without limit",
        f"{LANDING}:_doubt",
        "on_unsure is OnUnsure.STOP or _doubts(command.id, memory) >= DOUBTS_PER_COMMAND",
        "on_unsure is OnUnsure.STOP",
    ),
    Mutant("stop routes repeat", f"{LANDING}:_doubt", "on_unsure is OnUnsure.STOP or", ""),
    Mutant("stop routes repeat after a takeover", f"{LANDING}:lost", "attempt.on_unsure is OnUnsure.REPEAT and", ""),
    Mutant(
        "an ambiguous answer counts as delivered",
        f"{LANDING}:_doubt",
        "return _End(None, doubtful=True)",
        "return _End(Outcome.DELIVERED)",
    ),
    # ends
    Mutant(
        "a doubt that ended waits again",
        f"{DOUBTS}:Doubts._let_go",
        "if self._memory.ended(command_id) is not None",
        "if False",
        NO_LOOK_FOR_ENDS,
    ),
    Mutant(
        "what has ended is planned again", f"{DESK}:Desk._known", "else self._books.ended_as(command.id)", "else None"
    ),
    Mutant("what waits is not known", f"{DESK}:Desk._known", "if live is not None", "if False"),
    Mutant("a joined record is never settled", f"{DESK}:Desk._known", "live.positions.append(position)", "pass"),
    Mutant(
        "a joined record is settled at once",
        f"{DESK}:Desk._known",
        "live.positions.append(position)",
        "self.ledger.settle(position)",
    ),
    Mutant(
        "settled before its landing is durable",
        f"{FLIGHT}:write_landings",
        "appended = await office.parts.journal.append(*[landed.record for _, landed in landings])",
        "[flight.desk.land(flight.batch.commands, landed.outcomes, landed.refused) for flight, landed in landings];"
        " appended = await office.parts.journal.append(*[landed.record for _, landed in landings]); return",
    ),
    Mutant(
        "withdrawn attempts do not land",
        f"{FLIGHT}:Flight._withdrawn",
        "return withdrawn(self.batch, forbidden)",
        "return None",
    ),
    Mutant("deferred counts as delivered", f"{LANDING}:_end", "return _End(None)", "return _End(Outcome.DELIVERED)"),
    Mutant("nothing expires", f"{DESK}:Desk.expire", "ended = list(self.outbox.expire(now))", "ended = []"),
    # durable first
    Mutant("offsets before ends", f"{TENURE}:Tenure.settle_up", "await self._write_ends()", "pass"),
    Mutant("offsets one too far", f"{LEDGER}:Ledger.committable", "account.following for", "account.following + 1 for"),
    Mutant(
        "a record is settled by its first part",
        f"{LEDGER}:_Account.settle",
        "left = self.parts[place] - parts",
        "left = 0",
    ),
    Mutant(
        "dead letters are not awaited",
        f"{LETTERS}:Letters._bury_records",
        "await asyncio.gather(*(append(DeadLetter(self._office.lane, x.record, x.rejection)) for x in letters))",
        "gone = [asyncio.ensure_future(append(DeadLetter(self._office.lane, x.record, x.rejection))) for x in letters]",
    ),
    Mutant(
        "refused before its letter",
        f"{FLIGHT}:bury",
        "await office.parts.dead_letters.append(DeadLetter(office.lane, fetched, rejection, command.id.hex()))",
        "pass",
    ),
    # refused batches
    Mutant("a refused batch is buried whole", f"{LANDING}:land", "refusal is not None and", "False and"),
    Mutant("parts of a refused batch lose somebody", f"{CASE}:Case.accepted", "self.aside, []", "self.aside[1:], []"),
    # quota
    Mutant("the quota is not remembered", f"{LANE}:Lane._new_gate", "list(self._memory.past(-1.0))", "[]"),
    Mutant(
        "requests count from their start",
        f"{QUOTA}:Window.complete",
        "self._remember(now)",
        "self._remember(now - 30.0)",
    ),
    # threads
    Mutant("a held thread is not held", f"{THREADS}:Threads.holds", "return known is not None and", "return False and"),
    Mutant("older than attempted is let in", f"{DESK}:Desk._newest", "if command.thread is None", "if True"),
    Mutant("ranks are not remembered", f"{MEMORY}:Memory._attempt", "self._ranks.extend(", "str("),
    Mutant(
        "an older one replaces a newer one",
        f"{OUTBOX}:Outbox.put",
        "command.rank, attempted)",
        "command.rank + 1_000_000_000_000_000_000, attempted)",
    ),
    # what the desk takes for granted
    Mutant("what joins is not counted", f"{DESK}:Desk._note", "self._books.joined += 1", "pass"),
    # people
    Mutant("the list is not asked", f"{DOORMAN}:Doorman.refused", "self._listed(command.recipient, now)", "False"),
    Mutant("caps are not asked", f"{DOORMAN}:Doorman.refused", "self._caps.wanted", "False"),
    Mutant(
        "consent is not asked", f"{PLAN}:Planner._tell", "not route.wants_consent or _consents(reading.event)", "True"
    ),
    Mutant(
        "a pause is not heard",
        f"{FLIGHT}:Flight._forbidden",
        "not self.office.switch.on",
        "False",
        Mutant("", f"{FLIGHT}:Office.may_send", "self.switch.on", "True"),
    ),
    # nights
    Mutant("there is no night", f"{LOT}:Lot.quiet_until", "begin <= now", "False"),
    Mutant(
        "a new owner lets sleepers lie",
        f"{BOOKS}:Books.__init__",
        "{sleeper.command.id for sleeper in memory.parked}",
        "set()",
    ),
    Mutant(
        "who sleeps is settled before that is durable",
        f"{LOT}:Lot._sleep",
        "self._asleep.put(sleeper)",
        "self._asleep.put(sleeper); [self._books.ledger.settle(place) for place in sleeper.positions]",
    ),
    # replays
    Mutant(
        "a replay makes old news fresh", f"{PLAN}:Planner._life", "min(happened + ttl", "min(reading.way.came + ttl"
    ),
    Mutant(
        "a replay tells nobody again", f"{PLAN}:Planner._commands", "identity + written + salt", "identity + written"
    ),
    # keys of requests
    Mutant(
        "a repeat that did not happen undoes the request",
        f"{REPEATS}:RepeatFlight._answered",
        "len(reasons) == len(verdicts)",
        "False",
    ),
    Mutant(
        "a repeated request has another order",
        f"{CORE_REPEATS}:rebuilt",
        "for parcel in attempt.parcels",
        "for parcel in attempt.parcels[::-1]",
    ),
    Mutant(
        "an earlier owner lets wait again whom its successor's repeat may tell",
        f"{MEMORY}:Memory._land",
        "landing.epoch < attempt.epoch and None in ends",
        "False",
    ),
    # stopping and starting
    Mutant(
        "a drain cancels flights",
        f"{LANE}:Lane._leave",
        "await self._aloft.landed(self._settings.drain_seconds)",
        "self._aloft.cancel()",
    ),
    Mutant("sends after SIGTERM", f"{FLIGHT}:Flight._forbidden", "self.office.stopping()", "False"),
    Mutant(
        "a partition that appears later starts at its end",
        f"{RECOVERY}:starts",
        'at = "earliest" if appeared else',
        'at = "latest" if appeared else',
    ),
)


def _code_named(code: CodeType, name: str) -> CodeType:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            if constant.co_name == name:
                return constant
            try:
                return _code_named(constant, name)
            except LookupError:
                continue
    raise LookupError(name)


def _target(path: str) -> FunctionType:
    module, _, names = path.partition(":")
    found: Any = importlib.import_module(module)
    for name in names.split("."):
        found = inspect.getattr_static(found, name)
    return cast("FunctionType", found.fget if isinstance(found, property) else found)


def mutated(mutant: Mutant) -> tuple[FunctionType, CodeType]:
    """The function and its changed code. Raises ValueError where the source no longer has what is to be changed."""
    function = _target(mutant.target)
    source = textwrap.dedent(inspect.getsource(function))
    # Formatting may break a line anywhere; the meaning of what is looked for does not.
    flat = ast.unparse(ast.parse(source)) + "\n"
    old = mutant.old if mutant.old in flat else mutant.old.replace('"', "'")
    if flat.count(old) != 1:
        raise ValueError(f"mutant {mutant.name!r}: {mutant.old!r} stands {flat.count(old)} times in {mutant.target}")
    changed = compile(flat.replace(old, mutant.new), inspect.getfile(function), "exec", dont_inherit=True)
    code = _code_named(changed, function.__name__)
    if code.co_freevars != function.__code__.co_freevars:
        raise ValueError(f"mutant {mutant.name!r}: {mutant.target} is a closure")
    return function, code


@contextmanager
def planted(mutant: Mutant) -> Iterator[None]:
    """Wherever the function is known, it is the mutant meanwhile."""
    changes = [mutated(each) for each in (mutant, mutant.also) if each is not None]
    before = [function.__code__ for function, _ in changes]
    try:
        for function, code in changes:
            function.__code__ = code
        yield
    finally:
        for (function, _), code in zip(changes, before, strict=True):
            function.__code__ = code


@dataclass(frozen=True)
class Catch:
    """Which seed noticed the mutant, and by which rules; None when no seed did."""

    mutant: Mutant
    seed: int | None
    rules: tuple[str, ...]


def hunt(mutant: Mutant, seeds: Iterable[int], run: Callable[[int], Result] = run_world) -> Catch:
    """Run worlds until one notices. A world that cannot go on notices too."""
    with planted(mutant):
        for seed in seeds:
            try:
                result = run(seed)
            except (RuntimeError, ValueError, LookupError, TypeError) as error:
                return Catch(mutant, seed, (f"crash {type(error).__name__}",))
            if result.violations:
                return Catch(mutant, seed, tuple(result.rules))
    return Catch(mutant, None, ())
