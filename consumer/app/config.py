"""What may stand in `vestnik.yaml`, and what holds where it does not."""

import re
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

import babel
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from consumer.app.kafka_config import Bootstrap as Bootstrap
from consumer.app.kafka_config import KafkaConfig as KafkaConfig
from consumer.app.sources_config import RegistryConfig, SourceConfig
from consumer.core.document import Strict
from consumer.core.profile import Identity
from consumer.core.secrets import SecretRef
from consumer.core.shares import SHARES_MOST, Share, lane_of, shares_of
from consumer.core.templates import nearest
from consumer.core.units import Bytes, Seconds


def _word(value: object) -> object:
    """A recipient or a shop may look like a number in YAML."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _timezone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError('not a time zone; it is written as in "Europe/Moscow"')
    return ZoneInfo(value).key


def _locale(value: str) -> str:
    try:
        return str(babel.Locale.parse(value, sep="-" if "-" in value else "_"))
    except (ValueError, babel.UnknownLocaleError):
        raise ValueError('not a locale; it is written as in "ru" or "en_US"') from None


def _currency(value: str) -> str:
    if not re.fullmatch(r"[A-Z]{3}", value):
        raise ValueError('not a currency; it is three capital letters, as in "RUB"')
    return value


def _host_name(value: str) -> str:
    if not re.fullmatch(r"(?=.{1,253}$)[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+", value) or value[-1].isdigit():
        raise ValueError('not a host\'s name; it is written in small letters, as in "shop.example"')
    return value


def _topic(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,249}", value):
        raise ValueError("not a topic's name; it has letters, digits, dots, lines and underscores")
    return value


LANE_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


Port = Annotated[int, Field(ge=0, le=65_535)]
LogFormat = Literal["json", "console"]
LogLevel = Literal["debug", "info", "warning", "error"]
Word = Annotated[str, BeforeValidator(_word), Field(min_length=1)]
HostName = Annotated[str, AfterValidator(_host_name)]
Topic = Annotated[str, AfterValidator(_topic)]
Timezone = Annotated[str, AfterValidator(_timezone)]
LocaleName = Annotated[str, AfterValidator(_locale)]
Currency = Annotated[str, AfterValidator(_currency)]


class TopicsConfig(Strict):
    """The topics that we read, and the one for what needs a person."""

    sources: list[Topic] = Field(min_length=1, description="topics with order and bonus events")
    dead_letters: Topic = "vestnik.dead-letters"

    @model_validator(mode="after")
    def _apart(self) -> "TopicsConfig":
        if len(set(self.sources)) < len(self.sources):
            raise ValueError("a source stands here twice")
        if self.dead_letters in self.sources:
            raise ValueError("dead_letters is also a source: a dead letter would be read again and again")
        for topic in self.sources:
            if topic.startswith("vestnik."):
                raise ValueError(f'"{topic}" is a topic of ours and no source')
        return self


def _clock(value: str) -> str:
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value):
        raise ValueError('not a time of day; it is written in quotes, as in "22:00"')
    return value


ClockTime = Annotated[str, AfterValidator(_clock)]


class QuietConfig(Strict):
    """When nobody is told, in each recipient's time zone. Routes of order.* events are exempt unless they say so."""

    model_config = ConfigDict(populate_by_name=True)

    from_: ClockTime = Field(alias="from", description='when quiet begins, e.g. "22:00"')
    to: ClockTime = Field(description='when it ends, e.g. "09:00", of the next day where that is earlier')
    policy: Literal["hold", "drop"] = Field(default="hold", description="wait for the morning, or end as suppressed")

    @model_validator(mode="after")
    def _some_hours(self) -> "QuietConfig":
        if self.from_ == self.to:
            raise ValueError("quiet hours that end when they begin are none, or all")
        return self


class ShopConfig(Strict):
    """What holds for the customers of one shop, where an event does not say otherwise."""

    slug: str = Field(default="", description="the shop's name in links: slug://account/orders/…")
    link_hosts: list[HostName] | None = Field(
        default=None, description="where https links and images may lead, with all names below; any when left out"
    )
    timezone: Timezone = "Europe/Moscow"
    locale: LocaleName = "ru"
    currency: Currency = "RUB"
    quiet_hours: QuietConfig | None = Field(default=None, description="when nobody is told; never when left out")
    lanes: list[str] | None = Field(default=None, description="the lanes that serve this shop; all when left out")


class QuotaConfig(Strict):
    """What the provider allows this account, where it is not the usual."""

    requests: int = Field(ge=1)
    per: Annotated[Seconds, Field(gt=0)]
    bucket: bool = Field(default=False, description="a leaky bucket of that depth, instead of a window")


class CeilingConfig(Strict):
    """How many people may be told in any window, whatever the provider takes."""

    recipients: int = Field(ge=1)
    per: Annotated[Seconds, Field(gt=0, le=3600)]


class BacklogConfig(Strict):
    """How much may wait in memory; the rest waits in Kafka."""

    commands: int = Field(default=100_000, ge=100)
    bytes: Annotated[Bytes, Field(ge=1024 * 1024)] = 128 * 1024 * 1024
    records: int = Field(default=500_000, ge=1000, description="span between what is read and what is committed")
    shares: dict[str, Annotated[float, Field(gt=0, le=1)]] = Field(
        default={}, description="each source's part; equal parts when left out"
    )


class CapConfig(Strict):
    """How often one person may be told marketing."""

    messages: int = Field(ge=1, le=1000)
    per: Annotated[Seconds, Field(ge=60.0)]


class FloodConfig(Strict):
    """When a source has so much poison that it is read no more, so that it does not fill the dead letters."""

    stop: bool = Field(default=True, description="false: let everything pass into the dead letters")
    rejected: int = Field(default=50, ge=5, le=10_000, description="so many records that are nothing but dead letters")
    of: int = Field(default=100, ge=5, le=10_000, description="among the last so many of the source")
    probe: Annotated[Seconds, Field(ge=0.1, le=3600.0)] = Field(
        default=10.0, description="how often one more record is tried meanwhile"
    )
    letters_per_second: float = Field(default=100.0, ge=1.0, le=10_000.0, description="dead letters written, at most")

    @model_validator(mode="after")
    def _some_of_all(self) -> "FloodConfig":
        if self.rejected > self.of:
            raise ValueError(f"rejected: {self.rejected} of the last {self.of} records can never be")
        return self


Mode = Literal["live", "allow_list", "shadow"]


class LaneConfig(Strict):
    """One quota of one provider account."""

    provider: dict[str, Any] = Field(description="type, and what that provider needs")
    mode: Mode = Field(default="allow_list", description="who is told: everybody, the list, or nobody")
    allow_list: list[Word] = Field(default=[], description="recipients who are told in mode allow_list")
    quota: QuotaConfig | None = Field(default=None, description="the provider's usual one when left out")
    ceiling: CeilingConfig | None = Field(
        default=None, description="people told in any window, so that they do not all open the app at once"
    )
    in_flight: int | None = Field(default=None, ge=1, le=1024, description="requests at a time")
    memory: Annotated[Seconds, Field(ge=3600)] = Field(
        default=8 * 86_400.0, description="how far back the lane remembers; longer than every ttl"
    )
    caps: list[CapConfig] = Field(default=[], max_length=8, description="for what routes with `marketing: true` tell")
    start_at: Literal["latest", "earliest"] = Field(default="latest", description="where a new lane begins to read")
    lost_offsets: Literal["refuse", "latest", "earliest"] = Field(
        default="refuse", description="what to do when the group's offsets are gone although the lane has worked"
    )
    shares: int | None = Field(
        default=None,
        ge=2,
        le=SHARES_MOST,
        description="so many parts, which processes divide among themselves; only without a quota and a ceiling. "
        "It never changes, as the lane's id does not. in_flight and backlog are divided too",
    )
    backlog: BacklogConfig = BacklogConfig()
    flood: FloodConfig = FloodConfig()
    backfill: bool = Field(
        default=False, description="read vestnik.backfill.LANE too, by which people and replays reach the lane"
    )
    drain: Annotated[Seconds, Field(gt=0, le=22)] = Field(
        default=20.0, description="how long requests may finish at a stop"
    )
    lost_for: Annotated[Seconds, Field(ge=0)] = Field(
        default=60.0, description="how long the bytes of a lost request may still arrive"
    )
    identities: tuple[Identity, ...] = Field(
        default=(Identity.CUSTOMER_ID, Identity.PHONE, Identity.INSTALL_ID),
        min_length=1,
        description="the first that an event has names the customer",
    )
    event_limit: Annotated[Bytes, Field(ge=1024, le=16 * 1024 * 1024)] = Field(
        default=256 * 1024, description="a larger event is a dead letter"
    )


class PrivacyConfig(Strict):
    """Who must not be told: `vestnik suppress` puts them on a list of keyed hashes, which every lane then obeys."""

    hash_key: SecretRef = Field(description="at least 16 characters; with another key the list is worth nothing")


class AdminConfig(Strict):
    """Where the admin pages listen. They can be read by whoever reaches the port."""

    host: str = Field(default="127.0.0.1", min_length=1)
    port: Port = 9464


class LogsConfig(Strict):
    """How log lines look."""

    format: LogFormat = "json"
    level: LogLevel = "info"


class TracesConfig(Strict):
    """OpenTelemetry traces. Where they go and how many are kept, the OTEL_* variables of the environment say."""

    export: Literal["none", "otlp"] = Field(default="none", description="otlp needs vestnik[traces]")


class ReloadConfig(Strict):
    """When route files are read anew while the process works: at SIGHUP always, and by themselves with `watch`."""

    watch: Annotated[Seconds, Field(ge=1.0, le=3600.0)] | None = Field(
        default=None, description="look so often whether they have changed; never when left out"
    )


class WatchdogsConfig(Strict):
    """How long something may stand still although nothing outside is in the way, before a new process is better."""

    loop: Annotated[Seconds, Field(ge=5.0, le=3600.0)] = Field(
        default=60.0, description="the event loop does not turn: the process ends with code 70"
    )
    progress: Annotated[Seconds, Field(ge=10.0, le=3600.0)] = Field(
        default=120.0,
        description="what could happen (a request, a landing, a commit) does not: the process ends with code 70",
    )
    partition: Annotated[Seconds, Field(ge=10.0, le=3600.0)] = Field(
        default=120.0, description="a partition has records and gives none: it is named, and /livez fails"
    )
    broker: Annotated[Seconds, Field(ge=30.0, le=86_400.0)] | None = Field(
        default=None,
        description="no broker answers, although one did: the process ends with code 70. Never when left out: clients "
        "are made anew every two minutes and begin at the first addresses",
    )
    rebuilds: int | None = Field(
        default=None,
        ge=1,
        le=100,
        description="so many clients of a lane broke in 5 minutes: the process ends with code 70. Never when left out",
    )


class LinesConfig(Strict):
    """Files in the place of Kafka, to try things out."""

    lines: str = Field(description="a file with one record a line")
    out: str = Field(default="out", description="a folder for the journal and the dead letters")


class Config(Strict):
    """The whole of `vestnik.yaml`."""

    kafka: KafkaConfig | None = None
    source: LinesConfig | None = Field(default=None, description="instead of kafka")
    topics: TopicsConfig
    shops: dict[Word, ShopConfig] = Field(min_length=1, description="by the shop's name in the events")
    lanes: dict[str, LaneConfig] = Field(min_length=1, description="by the lane's id, which never changes")
    routes: str | list[str] = Field(default="routes", description="folders or files with routes")
    sources: dict[Topic, SourceConfig] = Field(
        default={}, description="by topic: what records are wrapped in, and whose events they are"
    )
    registry: RegistryConfig | None = Field(default=None, description="the schema registry of the sources")
    own_events: str | list[str] = Field(
        default=[], description="folders or files with schemas of the shop's own events"
    )
    secret_files: Literal["owner", "group"] = Field(
        default="owner",
        description="who may read files with secrets; group is for Kubernetes, which mounts them for an fsGroup",
    )
    privacy: PrivacyConfig | None = Field(default=None, description="with it lanes obey the list of suppressions")
    admin: AdminConfig = AdminConfig()
    logs: LogsConfig = LogsConfig()
    traces: TracesConfig = TracesConfig()
    watchdogs: WatchdogsConfig = WatchdogsConfig()
    reload: ReloadConfig = ReloadConfig()

    @model_validator(mode="after")
    def _one_source(self) -> "Config":
        if (self.kafka is None) == (self.source is None):
            raise ValueError("records come from exactly one place; say kafka: or source:")
        return self

    def shares(self, lane: str) -> tuple[Share, ...]:
        """The shares of a lane by its id; a lane that is not shared is its one share. Files are read by one alone."""
        return shares_of(lane, None if self.kafka is None else self.lanes[lane].shares)

    def share(self, name: str) -> Share:
        """The share of this name; KeyError where there is none."""
        found = {each.name: each for each in self.shares(lane_of(name))}
        return found[name]

    def named(self, name: str) -> tuple[str, ...]:
        """What is meant by a lane's id, which is all its shares, or by a share's name; nothing where there is none."""
        if name in self.lanes:
            return tuple(share.name for share in self.shares(name))
        return (name,) if name in self.names else ()

    def no_lane(self, name: str) -> str:
        """Why this cannot be meant where only whole lanes can, and what would be right; empty where it can."""
        if name in self.lanes:
            return ""
        if name in self.names:
            return f'"{name}" is a share; say "{lane_of(name)}", which means all its shares'
        return f'unknown lane "{name}"; {nearest(name, list(self.lanes))}'

    @property
    def names(self) -> tuple[str, ...]:
        """What works: every lane, and of a shared one its shares, by their names."""
        return tuple(share.name for lane in self.lanes for share in self.shares(lane))

    def lane(self, name: str) -> LaneConfig:
        """What holds for a lane, by its id or the name of a share."""
        return self.lanes[name if name in self.lanes else lane_of(name)]
