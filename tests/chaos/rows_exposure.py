"""Rows on exposure: what must not come out, what must not be called, and what must not be started."""

import asyncio
import io
import json
import logging
import os
import socket
import sys
import threading
import time
import traceback
from collections import Counter
from pathlib import Path
from random import Random

from consumer.app import wiring
from consumer.app.admin import AdminSettings
from consumer.app.logs import Logs, configure
from consumer.app.metrics import Metrics
from consumer.app.setup import Setup, load_setup
from consumer.core import facts
from consumer.core.facts import DeadLettered
from consumer.core.model import Message
from consumer.core.text import LinkRule
from consumer.core.wordings import Unrendered
from consumer.demo.fakes import Bitrix24Fake, ImshopFake, write_tokens
from consumer.sinks.base import make_sink
from consumer.sinks.bitrix24_lines import is_avatar
from schemas.order import Delivery, Order
from tests.app import test_canaries
from tests.app.support import CONFIG, ENVIRON, ROUTES, fact_kinds, sample, write
from tests.app.test_admin import WORKING, Office
from tests.chaos.lanes import fast, imshop_config, now
from tests.chaos.row import Outcome, Row
from tests.core.test_templates import wording
from tests.poison.corpus import cases
from tests.poison.lane import feed
from tests.sinks.support import CANARY, batch, secret
from tests.tidy import habits
from tests.tidy.repository import ROOT
from tests.tidy.source import Source

PHONES = 1_000
VARIETY = 100_000
WARM_UP = 100
ADVISORIES = "VESTNIK_ADVISORIES"


# --- X-1 and X-2 ------------------------------------------------------------------------------------------------------


async def _trouble(folder: Path, phones: tuple[str, ...]) -> tuple[dict[str, str], list[str], Counter[str]]:
    """Every way in which a provider can echo what it was given: what people can read then, what must not stand there,
    and what came of it."""
    stream = io.StringIO()
    configure("json", "debug", stream, time.monotonic)
    key, client = test_canaries.KEY, test_canaries.CLIENT_SECRET
    async with (
        ImshopFake(key, None, clock=now) as imshop,
        Bitrix24Fake(client=("local.app", client), clock=now) as portal,
    ):
        write_tokens(folder / "tokens.json", portal)
        portal.oauth.expire()
        tokens = (portal.oauth.refresh_token, *portal.oauth.access)
        said = test_canaries.echo(key, client, *tokens, *phones[:40])
        for fake, path in ((imshop, "/push"), (portal, "/rest")):
            for status in (500, 401, 400, 400):
                fake.fail("status", 1, path=path, status=status, body=said)
            fake.fail("reset_after", 1, path=path)
            fake.fail("html", 1, path=path, body=said)
            fake.fail("limit", 1, path=path)
        portal.fail("status", 1, path="/oauth", status=500, body=said)
        run = test_canaries.Run(test_canaries.configured(folder, imshop, portal))
        running = asyncio.create_task(run.process.run())
        for number, phone in enumerate(phones):
            value = test_canaries.event(number).replace(
                test_canaries.PHONES[number % len(test_canaries.PHONES)].encode(), phone.encode()
            )
            broken = b"{" if number % 25 == 7 else b""
            run.broker.publish(test_canaries.SOURCE, broken + value, key=phone.encode())
        await run.feed(lambda: not imshop.faults and not portal.faults and len(imshop.deliveries) > len(phones) // 5)
        try:
            test_canaries.fall(run)
        except RuntimeError:
            logging.getLogger("vestnik").exception("a bug")
            stream.write(traceback.format_exc())
        texts = {**run.seen_by_people(), "log": stream.getvalue()}
        hidden = [key, client, *tokens, *portal.oauth.access, portal.oauth.refresh_token]
        counts = Counter(told=len(imshop.deliveries), letters=run.count(DeadLettered), lines=texts["log"].count("\n"))
        run.process.stop()
        await running
    return texts, hidden, counts


def _hits(texts: dict[str, str], words: list[str] | tuple[str, ...]) -> int:
    return sum(word in text for text in texts.values() for word in words)


@fast(50)
async def secrets(folder: Path) -> Outcome:
    texts, hidden, counts = await _trouble(folder, test_canaries.PHONES)
    hits = _hits(texts, hidden)
    return Outcome(
        not hits and counts["lines"] > 50 and counts["letters"] > 0,
        f"{len(hidden)} canaries in keys, tokens and echoes, {counts['letters']} dead letters, {counts['lines']} log "
        f"lines down to debug: hits {hits} in {', '.join(texts)}",
        {"canaries": len(hidden), "hits": hits, "log_lines": counts["lines"]},
    )


@fast(15)
async def phones(folder: Path) -> Outcome:
    dice = Random(5)
    numbers = tuple(f"79{dice.randrange(10**9):09d}" for _ in range(PHONES))
    texts, _, counts = await _trouble(folder, numbers)
    hits = _hits(texts, numbers)
    return Outcome(
        not hits and counts["told"] > 0 and counts["letters"] > 0,
        f"{PHONES} phones, {counts['told']} pushes, {counts['letters']} dead letters, {counts['lines']} log lines: raw "
        f"phones {hits} in {', '.join(texts)}",
        {"phones": PHONES, "hits": hits, "told": counts["told"], "letters": counts["letters"]},
    )


# --- X-3 --------------------------------------------------------------------------------------------------------------


async def cardinality(folder: Path) -> Outcome:
    """A hundred thousand facts, each with words of its own in every field."""
    found = load_setup(write(folder), ENVIRON)
    if not isinstance(found, Setup):
        raise TypeError(str(found[0]))
    metrics, dice = Metrics(wiring.expected(found, "1")), Random(6)
    kinds = [kind for kind in fact_kinds() if kind is not facts.LaneGauges]
    for kind in kinds:
        metrics.see(sample(kind))
    # The first words of a label are kept as they are, up to its bound.
    for _ in range(WARM_UP):
        for kind in kinds:
            metrics.see(sample(kind, **_random_words(kind, dice)))
    before = _series(metrics)
    for number in range(VARIETY):
        kind = kinds[number % len(kinds)]
        metrics.see(sample(kind, **_random_words(kind, dice)))
        if number % 5_000 == 0:
            await asyncio.sleep(0)
    began = time.perf_counter()
    after, took = _series(metrics), (time.perf_counter() - began) * 1000
    return Outcome(
        after - before == 0 and took <= 100,
        f"{VARIETY} facts with random types, topics, routes and reasons: {before} series before, {after - before} more "
        f"after; a scrape takes {took:.0f} ms",
        {"facts": VARIETY, "series": before, "more": after - before, "scrape_ms": round(took, 1)},
    )


def _random_words(kind: type[facts.Fact], dice: Random) -> dict[str, str]:
    words = ("topic", "event_type", "reason", "route", "provider", "verdict", "stream", "detail", "result", "error")
    fields = set(kind.__dataclass_fields__)
    return {name: f"x{dice.randrange(10**12)}" for name in words if name in fields}


def _series(metrics: Metrics) -> int:
    return sum(not line.startswith(b"#") for line in metrics.render().splitlines())


# --- X-4 --------------------------------------------------------------------------------------------------------------

IDLE, HALF_OPEN = 300, 150


async def admin_port(folder: Path) -> Outcome:
    """Idle and half-open clients, other paths and verbs, a query of a megabyte."""
    office = Office(AdminSettings(port=0))
    if (refused := await office.admin.start()) is not None:
        raise OSError(refused)
    office.state.see(WORKING)
    threads = threading.active_count()
    files = _open_files()
    clients = [_client(office.admin.port) for _ in range(IDLE + HALF_OPEN)]
    for half_open in clients[IDLE:]:
        _try_send(half_open, b"GET /livez HTTP/1.1\r\nHost:")
    await asyncio.sleep(0.5)
    opened = _open_files() - files - len(clients)
    slowest, answered = 0.0, 0
    for _ in range(20):
        began = time.monotonic()
        try:
            async with asyncio.timeout(15):
                answered += (await office.get("/livez"))[0] == 200
        except (OSError, TimeoutError):
            pass
        slowest = max(slowest, time.monotonic() - began)
    for client in clients:
        client.close()
    wrong = await _forbidden(office)
    more_threads = threading.active_count() - threads
    await office.admin.stop()
    return Outcome(
        not wrong and answered == 20 and slowest <= 0.2 and more_threads <= 1 and opened <= 64,
        f"{IDLE} idle and {HALF_OPEN} half-open clients: {answered} of 20 probes answered, the slowest in "
        f"{slowest * 1000:.0f} ms, {opened} connections held, threads +{more_threads}; of 12 odd requests "
        f"{wrong} were not refused",
        {"answered": answered, "slowest_ms": round(slowest * 1000), "connections_held": opened, "odd_answered": wrong},
    )


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _client(port: int) -> socket.socket:
    client = socket.socket()
    client.setblocking(False)
    client.connect_ex(("127.0.0.1", port))
    return client


def _try_send(client: socket.socket, text: bytes) -> None:
    try:
        client.send(text)
    except OSError:
        return


async def _forbidden(office: Office) -> int:
    """How many requests that should be refused were not."""
    wrong = 0
    for method in ("POST", "PUT", "DELETE", "PATCH", "TRACE", "OPTIONS"):
        wrong += (await office.get("/api/state", method))[0] not in (403, 404, 405)
    for path in ("/api/pause", "/api/redrive", "/nothing", "/metrics/", "/../etc/passwd"):
        wrong += (await office.get(path))[0] not in (403, 404)
    return wrong + ((await office.get("/livez?" + "x" * 1_000_000))[0] not in (400, 414))


# --- X-5 --------------------------------------------------------------------------------------------------------------


async def event_addresses(folder: Path) -> Outcome:
    """Pictures and links that an event names, to places where nobody should go."""
    seen = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        seen += 1
        writer.close()

    canary = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = canary.sockets[0].getsockname()[1]
    pictures = (
        f"http://127.0.0.1:{port}/a.png", f"https://127.0.0.1:{port}/a.png", "https://169.254.169.254/latest",
        "file:///etc/passwd", "gopher://127.0.0.1/", f"https://a@127.0.0.1:{port}/", "https://cdn.ducky.ru@evil.example/",
        f"https://localhost:{port}/", "https://evil.example/a.png", "https://cdn.ducky.ru:8443/a.png",
        "https://[::1]/a.png", "https://2130706433/a.png",
    )  # fmt: skip
    links = (
        "javascript:alert(1)", "intent://scan/#Intent;scheme=zxing;end", "data:text/html,x", "file:///etc/passwd",
        "http://127.0.0.1/", "vbscript:x", "goose://x", "https://u:p@a.example/",
    )  # fmt: skip
    shown = sum(is_avatar(url, ("cdn.ducky.ru", "127.0.0.1", "169.254.169.254", "localhost")) for url in pictures)
    kept = sum(_link_is_kept(link) for link in links)
    async with ImshopFake(None, None) as fake:
        sink = make_sink(imshop_config(fake.url), secret(CANARY), lambda fact: None, "app-push")
        await sink.ready()
        for url in (*pictures, *links):
            message = Message("Title", "Text", url, url)
            await sink.send(batch("1", message=message))
        await sink.close()
    canary.close()
    good = is_avatar("https://cdn.ducky.ru/a.png", ("cdn.ducky.ru",)) and _link_is_kept("https://track.example/?a=1")
    return Outcome(
        not seen and not shown and not kept and good,
        f"{len(pictures)} pictures and {len(links)} links: connections to them {seen}, pictures let through {shown}, "
        f"links let through {kept}; good ones pass",
        {"connections": seen, "pictures_passed": shown, "links_passed": kept},
    )


def _link_is_kept(link: str) -> bool:
    """Whether a link of an event's comes through the gate of a wording that shows it whole."""
    try:
        order = Order(id="1", delivery=Delivery(tracking_url=link))
    except ValueError:
        return False
    made = wording(link="{{ order.delivery.tracking_url }}")
    return not isinstance(made.render({"order": order}, LinkRule(frozenset({"https", "ducky"}))), Unrendered)


# --- X-6 --------------------------------------------------------------------------------------------------------------

BAD_CONFIGS: dict[str, tuple[str, str]] = {
    "a YAML tag": ("bootstrap: localhost:9092", "bootstrap: !!python/object/apply:os.system [id]"),
    "another YAML tag": ("bootstrap: localhost:9092", "bootstrap: !env HOME"),
    "a variable in the text": ("mode: live", "mode: ${MODE}"),
    "an unknown key": ("mode: live", "mode: live\n    shell: id"),
    "a key twice": ("mode: live", "mode: live\n    mode: shadow"),
    "an alias bomb": ("mode: live", "mode: &a [*a, *a]"),
    "a secret in the open": ("key: {env: IMSHOP_KEY}", "key: plain-text-key"),
    "plain http": ("https://push.example/send", "http://push.example/send"),
    "a user name in the address": ("https://push.example/send", "https://u:p@push.example/send"),
}
BAD_ROUTES: dict[str, tuple[str, str]] = {
    "a template that calls": ('text: "Thank you"', 'text: "{{ order.id.upper() }}"'),
    "a template that multiplies": ('text: "Thank you"', "text: \"{{ 'a' * 100000000 }}\""),
    "a template that includes": ('text: "Thank you"', "text: \"{% include '/etc/passwd' %}\""),
}


async def bad_configurations(folder: Path) -> Outcome:
    taken = []
    for number, (name, (old, new)) in enumerate((*BAD_CONFIGS.items(), *BAD_ROUTES.items())):
        place = folder / str(number)
        place.mkdir()
        path = write(place, CONFIG.replace(old, new), ROUTES.replace(old, new, 1))
        if isinstance(load_setup(path, ENVIRON), Setup):
            taken.append(name)
    count = len(BAD_CONFIGS) + len(BAD_ROUTES)
    for name in ("vestnik.yaml", "routes/orders.yaml"):
        count += 1
        place = folder / f"open-{count}"
        place.mkdir()
        path = write(place)
        (place / name).chmod(0o666)
        if isinstance(load_setup(path, ENVIRON), Setup):
            taken.append(f"{name} that everybody may change")
    good = isinstance(load_setup(write(folder), ENVIRON), Setup)
    return Outcome(
        not taken and good,
        f"{count} configurations that could do harm: refused {count - len(taken)}"
        f"{', taken: ' + ', '.join(taken) if taken else ''}; a good one is taken",
        {"refused": count - len(taken), "of": count},
    )


# --- X-7 --------------------------------------------------------------------------------------------------------------


async def known_holes(folder: Path) -> Outcome:
    """Every package of the lock, with its hashes, against the advisories: `make audit`."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "scripts.audit", stdout=pipe, stderr=asyncio.subprocess.STDOUT, cwd=ROOT
    )
    text, _ = await process.communicate()
    words = text.decode().strip().splitlines()[-1:] or ["nothing was said"]
    return Outcome(process.returncode == 0, words[0], {"exit_code": process.returncode or 0})


# --- X-9, X-10 --------------------------------------------------------------------------------------------------------


async def log_injection(folder: Path) -> Outcome:
    """The corpus of tricky texts through a lane, and its facts, with the texts in every field, through the log."""
    return await asyncio.to_thread(_injected)


def _injected() -> Outcome:
    stream = io.StringIO()
    configure("json", "debug", stream, time.monotonic)
    logs, told = Logs(time.monotonic), 0
    for case in (case for case in cases() if case.row == "E-5"):
        for fact in feed(case.payload, case.limit).facts:
            logs.see(fact)
        text = (case.payload.value or b"").decode("utf-8", "surrogateescape")
        for kind in fact_kinds():
            names = [name for name in ("reason", "detail", "route", "error") if name in kind.__dataclass_fields__]
            logs.see(sample(kind, **dict.fromkeys(names, f'{text}\n{{"event": "forged"}}\r\x1b[2J\u202e')))
        logging.getLogger("aiokafka").error('%s\n{"event": "forged"}', text)
        told += 1
    wrong, forged = 0, 0
    # By line feeds alone, as readers of logs do it: JSON may have other separators in a text.
    lines = stream.getvalue().split("\n")[:-1]
    for line in lines:
        try:
            forged += json.loads(line)["event"] == "forged"
        except (ValueError, KeyError):
            wrong += 1
    raw = sum(letter in stream.getvalue() for letter in ("\x1b", "\r", "\x00"))
    return Outcome(
        not wrong and not forged and not raw and len(lines) > 100,
        f"{told} tricky texts in {len(lines)} log lines: lines that are no JSON {wrong}, forged {forged}, control "
        f"characters {raw}",
        {"lines": len(lines), "not_json": wrong, "forged": forged, "control_characters": raw},
    )


async def dangerous_calls(folder: Path) -> Outcome:
    """The static rule over what ships, and over a planted breach."""
    sources = [
        Source(path.relative_to(ROOT).as_posix(), path.read_text("utf-8"))
        for room in ("consumer", "schemas") for path in (ROOT / room).rglob("*.py")
    ]  # fmt: skip
    found = sum(len(list(habits.banned_calls(source))) for source in sources)
    planted = Source("consumer/core/a.py", "import pickle, yaml\neval(event)\nyaml.load(event)\nexec(event)\n")
    seen = len(list(habits.banned_calls(planted)))
    await asyncio.sleep(0)
    return Outcome(
        not found and seen == 4,
        f"{len(sources)} files: pickle, yaml.load, eval and exec {found}; of 4 planted ones found {seen}",
        {"files": len(sources), "found": found, "planted_found": seen},
    )


FAST = "its seconds pass 50 times as fast, over a real network"
ROWS = (
    Row(
        "X-1", "canaries in keys, token replies and a provider's echoes", "nothing that people read has a secret",
        "hits 0 in logs, metrics, state, headers, tracebacks and the configuration as shown", secrets, 0.5,
        selection=True, compressed=FAST, again="as the route says",
        test="tests/app/test_canaries.py::test_no_secret_phone_token_or_echo_is_in_anything_that_people_read",
    ),
    Row(
        "X-2", "a thousand phones through success, failure, dead letters and a crash", "phones are masked",
        "raw phones 0", phones, 3.0, selection=False, compressed=FAST.replace("50", "15"), again="as the route says",
        test="tests/app/test_canaries.py::test_no_secret_phone_token_or_echo_is_in_anything_that_people_read",
    ),
    Row(
        "X-3", "100,000 random types, routes, errors and topics", "labels are closed sets",
        "series +0 beyond `other`; a scrape ≤ 100 ms", cardinality, 0.3, selection=True, again="no",
        test="tests/app/test_metrics.py::test_labels_stay_bounded_whatever_comes",
    ),
    Row(
        "X-4", "450 idle and half-open clients, other verbs and paths, a query of 1 MB", "the admin port only reads",
        "refused; a probe ≤ 200 ms; threads +0", admin_port, 0.2, selection=True, again="no",
        test="tests/app/test_admin.py::test_300_idle_and_150_half_open_connections_do_not_hold_up_a_probe",
    ),
    Row(
        "X-5", "pictures and links of events to loopback, link-local, files and scripts",
        "never fetched, dropped by rule",
        "connections 0; let through 0", event_addresses, 0.1, selection=True, again="no",
        test="tests/sinks/test_bitrix24.py::test_a_picture_comes_from_a_listed_host_by_https",
    ),
    Row(
        "X-6", "YAML tags, variables, templates that do things, files that everybody may change", "refused at start",
        "refused all", bad_configurations, 0.1, selection=True, again="no",
        test="tests/app/test_setup.py::test_a_file_that_everybody_may_change_is_refused",
    ),
    Row(
        "X-7", "known holes in what the lock names", "none, and nothing skipped", "known 0; skipped 0",
        known_holes, 0.3, selection=True, again="no",
        not_run="" if os.environ.get(ADVISORIES) else f"it needs PyPI's advisories; {ADVISORIES}=1 runs it",
    ),
    Row(
        "X-9", "the tricky texts in every field of the log", "one line is one JSON object",
        "lines that are no JSON 0; forged 0",
        log_injection, 0.1, selection=True, again="no",
        test="tests/app/test_logs.py::test_a_foreign_text_can_neither_forge_a_line_nor_show_a_phone",
    ),
    Row(
        "X-10", "pickle, yaml.load, eval on what events bring", "not in what ships", "0", dangerous_calls, 0.1,
        selection=True, again="no", test="tests/test_tidy.py::test_every_file_keeps_the_rule",
    ),
)  # fmt: skip
