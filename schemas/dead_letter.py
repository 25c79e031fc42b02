"""A dead letter: a record or command that needs a person.

Key, value and headers are the original's, byte for byte; what Vestnik adds stands in headers of its own, all of which
begin with `vestnik-`. A value too large for the topic is cut (reason `oversize`) and its SHA-256 kept.
"""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

HEADER_PREFIX = "vestnik-"


class DeadReason(StrEnum):
    """Why a person is needed. Closed: a dashboard and a runbook name each."""

    INVALID_JSON = "invalid_json"
    SCHEMA = "schema"
    UNKNOWN_VERSION = "unknown_version"
    OVERSIZE = "oversize"
    DEPTH = "depth"
    NUMBER = "number"
    DUPLICATE_KEY = "duplicate_key"
    FORMAT = "format"
    UNKNOWN_SCHEMA = "unknown_schema"
    MAPPING = "mapping"
    EVENT_ID_CONFLICT = "event_id_conflict"
    CONDITION = "condition"
    RENDER = "render"
    RECIPIENT = "recipient"
    REFUSED = "refused"
    UNRESOLVED = "unresolved"
    KILLS_THE_PROCESS = "kills_the_process"


class DeadLetterHeaders(BaseModel):
    """The `vestnik-…` headers, decoded."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")

    id: str = Field(description="the same for every copy of this letter")
    lane: str
    reason: DeadReason
    detail: str = Field(default="", description="what was wrong, without values of the event")
    route: str | None = None
    command: str | None = Field(default=None, description="24 hex digits, where one command is meant")
    topic: str
    partition: int
    offset: int
    timestamp: float = Field(description="of the original record, seconds since 1970")
    redrives: int = 0
    size: int | None = Field(default=None, description="bytes of the original value, where it was cut")
    sha256: str | None = Field(default=None, description="of the original value in hex, where it was cut")
    version: str = "1"
