"""How to reach Kafka: addresses, security and timing, as arguments of the client library."""

import logging
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from consumer.core.model import Trouble

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]
ReadPassword = Callable[[], str | Trouble]
ReadToken = Callable[[], Awaitable[str | Trouble]]

LOGGER = "aiokafka"


@dataclass(frozen=True, slots=True)
class Timing:
    """Timing of a group member and of requests. `rebalance_ms` must stay under `request_ms`: else a join is given up
    before the group has answered it. `fetch_wait_ms` is how long a broker keeps an empty fetch; a real broker answers
    at once when a record comes, the embedded one waits all of it. `settle_ms` is for the embedded one too: it refuses
    members of a group that come to a rebalance after its leader has handed out the assignment."""

    session_ms: int = 30_000
    heartbeat_ms: int = 3_000
    rebalance_ms: int = 25_000
    request_ms: int = 40_000
    metadata_ms: int = 30_000
    fetch_wait_ms: int = 500
    settle_ms: int = 0


@dataclass(frozen=True, slots=True)
class Certificate:
    """What we show to brokers that ask who we are: PEM files, read anew whenever a client is made."""

    file: str
    key_file: str
    key_password: ReadPassword | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """One Kafka cluster. `password` is asked anew whenever a client is made, `token` at each connection, so that
    rotated ones are taken up. A `static_member` never leaves its group: it comes back, or its session ends."""

    bootstrap: str
    security: SecurityProtocol = "PLAINTEXT"
    sasl_mechanism: SaslMechanism = "PLAIN"
    username: str | None = None
    password: ReadPassword | None = field(default=None, repr=False)
    token: ReadToken | None = field(default=None, repr=False)
    ca_file: str | None = None
    certificate: Certificate | None = None
    client_id: str = "vestnik"
    timing: Timing = Timing()
    max_request_bytes: int = 4 * 1024 * 1024
    static_member: str | None = None

    @property
    def uses_sasl(self) -> bool:
        return self.security.startswith("SASL")

    @property
    def uses_tls(self) -> bool:
        return self.security.endswith("SSL")

    def connection(self) -> dict[str, Any] | Trouble:
        """Arguments that every aiokafka client takes; Trouble where a secret or a CA file cannot be read."""
        arguments: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap,
            "client_id": self.client_id,
            "security_protocol": self.security,
            "request_timeout_ms": self.timing.request_ms,
            "metadata_max_age_ms": self.timing.metadata_ms,
        }
        for part in (self._tls(), self._sasl()):
            if isinstance(part, Trouble):
                return part
            arguments |= part
        return arguments

    def consuming(self) -> dict[str, Any] | Trouble:
        """Arguments of any consumer: nothing is committed, reset or decoded behind our back."""
        arguments = self.connection()
        if isinstance(arguments, Trouble):
            return arguments
        return arguments | {
            "auto_offset_reset": "none",
            "enable_auto_commit": False,
            "isolation_level": "read_committed",
            "fetch_max_wait_ms": self.timing.fetch_wait_ms,
            "max_partition_fetch_bytes": 262_144,
            "fetch_max_bytes": 8_388_608,
            "max_poll_interval_ms": 2**31 - 1,
        }

    def belonging(self, group: str) -> dict[str, Any] | Trouble:
        """Arguments of a consumer that is a member of a group."""
        arguments = self.consuming()
        if isinstance(arguments, Trouble):
            return arguments
        return arguments | {
            "group_id": group,
            "group_instance_id": self.static_member,
            "session_timeout_ms": self.timing.session_ms,
            "heartbeat_interval_ms": self.timing.heartbeat_ms,
            "rebalance_timeout_ms": self.timing.rebalance_ms,
        }

    def producing(self) -> dict[str, Any] | Trouble:
        """Arguments of an idempotent producer whose acks mean every in-sync replica."""
        arguments = self.connection()
        if isinstance(arguments, Trouble):
            return arguments
        return arguments | {
            "enable_idempotence": True,
            "acks": "all",
            # A batch that is larger than the broker allows is refused as a whole: small ones never share one with a
            # record of that size.
            "max_batch_size": 262_144,
            "max_request_size": self.max_request_bytes,
        }

    def _tls(self) -> dict[str, Any] | Trouble:
        if not self.uses_tls:
            return {}
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ssl.SSLError) as error:
            return Trouble("other", f"the CA file {self.ca_file} cannot be used: {type(error).__name__}")
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        trouble = _shown(context, self.certificate) if self.certificate is not None else None
        return trouble or {"ssl_context": context}

    def _sasl(self) -> dict[str, Any] | Trouble:
        if not self.uses_sasl:
            return {}
        if self.sasl_mechanism == "OAUTHBEARER":
            return self._bearer()
        password = self.password() if self.password is not None else ""
        if isinstance(password, Trouble):
            return password
        return {
            "sasl_mechanism": self.sasl_mechanism,
            "sasl_plain_username": self.username or "",
            "sasl_plain_password": password,
        }

    def _bearer(self) -> dict[str, Any] | Trouble:
        if self.token is None:
            return Trouble("other", "OAUTHBEARER needs a token, and there is none")
        # Here, for the settings are read by commands that need no Kafka client, and its import is slow.
        from consumer.streams.bearer import TokenProvider  # noqa: PLC0415

        return {"sasl_mechanism": self.sasl_mechanism, "sasl_oauth_token_provider": TokenProvider(self.token)}


def _shown(context: ssl.SSLContext, certificate: Certificate) -> Trouble | None:
    """Put our certificate into the context; what is wrong with it else."""
    password = certificate.key_password() if certificate.key_password is not None else ""
    if isinstance(password, Trouble):
        return password
    try:
        # An empty password, for without one OpenSSL would ask the terminal.
        context.load_cert_chain(certificate.file, certificate.key_file, password=password)
    except (OSError, ssl.SSLError, ValueError) as error:
        why = getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
        files = f"{certificate.file} with its key {certificate.key_file}"
        return Trouble("other", f"the certificate {files} cannot be used: {why}")
    return None


def quiet_library() -> None:
    """Keep the library's debug lines out of every log: they print record values and the SASL password."""
    logger = logging.getLogger(LOGGER)
    if logger.level < logging.INFO:
        logger.setLevel(logging.INFO)
