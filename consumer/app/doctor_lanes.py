"""The doctor at the lanes: their groups, their offsets, their journals, the clock, and the processes that run them."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from consumer.app import wiring
from consumer.app.asking import Unfit, fetched_digest
from consumer.app.doctor_row import Row
from consumer.app.setup import Setup
from consumer.core.model import TopicPartition, Trouble
from consumer.core.ports import Entry, Unreadable
from consumer.streams.assignor import NAME, protocol_of
from consumer.streams.inspection import GroupState, Inspector
from consumer.streams.marks import Mark, last_entries, marks

JOURNAL_RECORDS = 500
GRANT = "kafka-acls.sh --add --allow-principal User:…"
SKEW_SECONDS = 5.0
# A record that is younger than this was written while we looked, or nearly so.
FRESH_SECONDS = 60.0


async def lane_rows(setup: Setup, inspector: Inspector, now: float) -> list[Row]:
    """Every lane's group, offsets and journal; then what their records say of this host's clock."""
    rows: list[Row] = []
    newest: list[float] = []
    settings = wiring.kafka_settings(setup)
    for lane in setup.config.names:
        part, share = f"lane {lane}", setup.config.share(lane)
        entries = await last_entries(settings, wiring.journal_place(lane), JOURNAL_RECORDS)
        rows += journal_rows(part, entries)
        rows += group_rows(part, await inspector.group(wiring.group_name(lane)), protocol_of(share))
        found = await marks(settings, wiring.group_name(lane), wiring.lane_sources(setup, lane), share)
        rows += offset_rows(part, lane, found, worked=not isinstance(entries, Trouble) and bool(entries))
        if not isinstance(entries, Trouble) and entries:
            newest.append(entries[-1].timestamp)
    return [*rows, clock_row(newest, now)]


def journal_rows(part: str, entries: Sequence[Entry] | Trouble) -> Iterator[Row]:
    """Whether the journal's last records can be read."""
    if isinstance(entries, Trouble):
        mend = {"topic_missing": "vestnik topics create", "shares_changed": "vestnik topics check says more"}.get(
            entries.reason, "see docs/operating.md"
        )
        yield Row(part, "journal", "failed", f"{entries.reason} {entries.detail}".strip(), mend)
        return
    strange = Counter(entry.record.reason for entry in entries if isinstance(entry.record, Unreadable))
    if strange:
        detail = f"{strange.total()} of the last {len(entries)} records are none of ours: {next(iter(strange))}"
        mend = "who else writes to it? A newer version's records look like that too"
        yield Row(part, "journal", "warning", detail, mend)
    else:
        yield Row(part, "journal", "ok", f"the last {len(entries)} records can be read" if entries else "empty")


def group_rows(part: str, group: GroupState | Trouble, protocol: str = NAME) -> Iterator[Row]:
    """Whether one member, and one of ours, has the lane."""
    if isinstance(group, Trouble):
        mend = "grant Describe on the group" if group.reason == "not_authorised" else ""
        yield Row(part, "group", "failed" if mend else "unknown", f"{group.reason} {group.detail}".strip(), mend)
        return
    holders = [member for member in group.members if member.partitions]
    standbys = len(group.members) - len(holders)
    if not group.members:
        detail = "nobody ever joined it" if group.state == "Dead" else "no process runs the lane"
        yield Row(part, "group", "warning", detail, "vestnik run")
    elif group.protocol and group.protocol != protocol:
        detail = f"its members share partitions by {group.protocol}"
        yield Row(part, "group", "failed", detail, f"end whatever else reads as the group; ours share by {protocol}")
    elif len(holders) > 1:
        hosts = ", ".join(member.host for member in holders)
        yield Row(part, "group", "failed", f"{len(holders)} members have partitions: {hosts}", "restart them")
    elif group.state != "Stable":
        yield Row(part, "group", "warning", f"{group.state}: look again in a minute")
    else:
        owner = holders[0].host if holders else "nobody yet"
        yield Row(part, "group", "ok", f"owner at {owner}, {standbys} standing by")
    yield from _group_rights(part, group)


def _group_rights(part: str, group: GroupState) -> Iterator[Row]:
    if group.allowed is not None and "Read" not in group.allowed:
        mend = f"{GRANT} --operation Read --group vestnik. --resource-pattern-type prefixed"
        yield Row(part, "rights on the group", "failed", "Read is missing", mend)


def offset_rows(part: str, lane: str, found: Mapping[TopicPartition, Mark] | Trouble, *, worked: bool) -> Iterator[Row]:
    """Whether the group knows where it stands, and whether its topics still have what comes next."""
    if isinstance(found, Trouble):
        mend = "vestnik topics check says more"
        yield Row(part, "offsets", "failed", f"{found.reason} {found.detail}".strip(), mend)
        return
    gone = {tp: mark.gone for tp, mark in found.items() if mark.gone}
    for (topic, partition), count in gone.items():
        detail = f"{count} records of {topic}/{partition} were gone before they were read"
        yield Row(
            part, "offsets", "failed", detail, "keep them longer; the lane says offset_out_of_range and how to go on"
        )
    if found and worked and all(mark.committed is None for mark in found.values()):
        detail = "lost: the journal shows that the lane has worked, and its group has none"
        yield Row(
            part, "offsets", "failed", detail, f"set those of {wiring.group_name(lane)}, or vestnik run --lost-offsets"
        )
    elif not gone:
        known = sum(mark.committed is not None for mark in found.values())
        yield Row(part, "offsets", "ok", f"{known} of {len(found)} partitions have one")


def clock_row(newest: Sequence[float], now: float) -> Row:
    """This host's clock against the brokers', by the stamps that they gave the journals' newest records. That shows
    when this host is behind; that it is ahead shows only while a lane writes."""
    part, what = "kafka", "clock"
    if not newest:
        return Row(part, what, "unknown", "no journal has a record yet, whose broker's stamp could be compared")
    ahead = max(newest) - now
    if ahead > SKEW_SECONDS:
        detail = f"this host is at least {ahead:.0f} s behind the brokers"
        return Row(part, what, "warning", detail, "keep both hosts' time by NTP")
    if -ahead < FRESH_SECONDS:
        return Row(part, what, "ok", f"within {FRESH_SECONDS:.0f} s of the brokers'")
    return Row(part, what, "ok", "not behind the brokers'; whether it is ahead shows while a lane works")


# --- processes --------------------------------------------------------------------------------------------------------


async def process_rows(setup: Setup, addresses: Sequence[str], *, asked: bool) -> list[Row]:
    """Whether every process runs on this configuration. `asked`: somebody named the addresses."""
    told = {address: await fetched_digest(address) for address in addresses}
    rows = [_process(setup, address, digest, asked=asked) for address, digest in told.items()]
    digests = {digest for digest in told.values() if isinstance(digest, str)}
    if len(digests) > 1:
        detail = f"{len(digests)} different ones run"
        rows.append(Row("processes", "configuration", "failed", detail, "deploy the same files everywhere"))
    return rows


def _process(setup: Setup, address: str, digest: str | Unfit, *, asked: bool) -> Row:
    if isinstance(digest, Unfit):
        mend = "does it run, and is that its admin port?" if asked else ""
        detail = (
            digest.why if asked else f"no process at {address}; name them by --admin to compare their configurations"
        )
        return Row("processes", address, "unknown", detail, mend)
    if digest == setup.digest:
        return Row("processes", address, "ok", "runs on this configuration and these routes")
    detail = f"runs on {digest}, and this is {setup.digest}"
    return Row("processes", address, "warning", detail, "restart it with these files, or look at its own")
