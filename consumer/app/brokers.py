"""The configuration's cluster as settings of the streams: addresses, TLS, and who we are, with secrets read anew."""

from dataclasses import replace

from consumer.app.kafka_config import SaslConfig, SecurityConfig
from consumer.app.oidc import OidcTokens
from consumer.app.setup import Setup
from consumer.core.model import Trouble
from consumer.core.secrets import SecretRef
from consumer.streams.settings import (
    Certificate,
    KafkaSettings,
    ReadPassword,
    ReadToken,
    SecurityProtocol,
    Timing,
)


def kafka_settings(setup: Setup, timing: Timing | None = None) -> KafkaSettings:
    """The cluster of the configuration, which must have one."""
    kafka = setup.config.kafka
    if kafka is None:
        raise ValueError("the configuration has no kafka")
    security = kafka.security
    settings = KafkaSettings(
        bootstrap=kafka.servers,
        security=_protocol(tls=security.tls, sasl=security.sasl is not None),
        ca_file=str(setup.path(security.ca)) if security.ca is not None else None,
        certificate=_certificate(setup, security),
        timing=timing or _timing(kafka.session_timeout),
        static_member=kafka.static_member,
    )
    return settings if security.sasl is None else _identified(setup, security.sasl, settings)


def _identified(setup: Setup, sasl: SaslConfig, settings: KafkaSettings) -> KafkaSettings:
    settings = replace(settings, sasl_mechanism=sasl.mechanism, username=sasl.user)
    if sasl.password is not None:
        return replace(settings, password=_reading(setup, sasl.password))
    return replace(settings, token=_token(setup, sasl))


def _timing(session_seconds: float) -> Timing:
    """Ten heartbeats a session, as Kafka's own clients have it."""
    session_ms = int(session_seconds * 1000)
    return Timing(session_ms=session_ms, heartbeat_ms=session_ms // 10)


def _protocol(*, tls: bool, sasl: bool) -> SecurityProtocol:
    if sasl:
        return "SASL_SSL" if tls else "SASL_PLAINTEXT"
    return "SSL" if tls else "PLAINTEXT"


def _certificate(setup: Setup, security: SecurityConfig) -> Certificate | None:
    if security.certificate is None or security.key is None or security.key.file is None:
        return None
    password = _reading(setup, security.key_password) if security.key_password is not None else None
    return Certificate(str(setup.path(security.certificate)), str(setup.path(security.key.file)), password)


def _reading(setup: Setup, ref: SecretRef) -> ReadPassword:
    def read() -> str | Trouble:
        return setup.read_secret(ref)

    return read


def _token(setup: Setup, sasl: SaslConfig) -> ReadToken:
    if sasl.oidc is not None:
        return OidcTokens(sasl.oidc, setup.read_secret).read
    ref = sasl.token

    async def read() -> str | Trouble:
        return setup.read_secret(ref) if ref is not None else Trouble("other", "there is no token")

    return read
