"""What may stand under `kafka:` in `vestnik.yaml`: where the brokers are, how we talk to them, who we are to them."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from consumer.core.document import Strict
from consumer.core.secrets import SecretRef
from consumer.core.units import Seconds
from consumer.sinks.http import url_problem


def _bootstrap(value: str) -> str:
    for address in value.split(","):
        if not re.fullmatch(r"[^\s:]+:\d{1,5}|\[[0-9a-fA-F:]+\]:\d{1,5}", address.strip()):
            raise ValueError('an address of a broker is written as "host:port"')
    return value


def _static_member(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,200}", value):
        raise ValueError("not a member's name; it has letters, digits, dots, lines and underscores")
    return value


Bootstrap = Annotated[str, AfterValidator(_bootstrap)]
StaticMember = Annotated[str, AfterValidator(_static_member)]


class OidcConfig(Strict):
    """Tokens from an identity provider, by client credentials (RFC 6749, section 4.4)."""

    url: str = Field(description="the token endpoint, https")
    client_id: str = Field(min_length=1)
    client_secret: SecretRef
    scope: str | None = Field(default=None, min_length=1)
    parameters: dict[str, str] = Field(default={}, max_length=16, description="what else is asked for, e.g. audience")
    allow_http: bool = Field(default=False, description="let the endpoint be reached without TLS")

    @model_validator(mode="after")
    def _reachable(self) -> "OidcConfig":
        if problem := url_problem(self.url, allow_http=self.allow_http):
            raise ValueError(f"url {problem}")
        return self


class SaslConfig(Strict):
    """Who we are to the brokers: a user and a password, or a token for OAUTHBEARER."""

    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] = "SCRAM-SHA-512"
    user: str | None = Field(default=None, min_length=1)
    password: SecretRef | None = None
    token: SecretRef | None = Field(
        default=None, description="for OAUTHBEARER: a file that somebody keeps fresh; read at each connection"
    )
    oidc: OidcConfig | None = Field(default=None, description="for OAUTHBEARER: where to get tokens from")

    @model_validator(mode="after")
    def _complete(self) -> "SaslConfig":
        by_token = self.mechanism == "OAUTHBEARER"
        if by_token and (self.token is None) == (self.oidc is None):
            raise ValueError("OAUTHBEARER takes its tokens from exactly one place; say token: or oidc:")
        if by_token and (self.user is not None or self.password is not None):
            raise ValueError("OAUTHBEARER has no user and no password")
        if not by_token and (self.user is None or self.password is None):
            raise ValueError(f"{self.mechanism} needs a user and a password")
        if not by_token and (self.token is not None or self.oidc is not None):
            raise ValueError(f"{self.mechanism} has no token; say mechanism: OAUTHBEARER")
        return self


class SecurityConfig(Strict):
    """How we talk to the brokers."""

    tls: bool = Field(default=False, description="encrypt, and verify the brokers' certificates")
    ca: str | None = Field(default=None, description="path of the CA's certificates (PEM); the system's when left out")
    certificate: str | None = Field(
        default=None, description="path of our own certificate (PEM, with its chain), for brokers that ask for one"
    )
    key: SecretRef | None = Field(default=None, description="the file of the certificate's key (PEM)")
    key_password: SecretRef | None = None
    sasl: SaslConfig | None = None

    @model_validator(mode="after")
    def _needs_tls(self) -> "SecurityConfig":
        for name in ("ca", "certificate", "key", "key_password"):
            if getattr(self, name) is not None and not self.tls:
                raise ValueError(f"a {name} is of no use without tls: true")
        if (self.certificate is None) != (self.key is None):
            raise ValueError("a certificate goes with its key, and a key with its certificate")
        if self.key is not None and self.key.file is None:
            raise ValueError("the key is read from a file; say key: {file: PATH}")
        if self.key_password is not None and self.key is None:
            raise ValueError("a key_password is of no use without a key")
        return self


class KafkaConfig(Strict):
    """The one Kafka cluster."""

    bootstrap: Bootstrap | Annotated[list[Bootstrap], Field(min_length=1)] = Field(
        description="host:port of some brokers, as a list or with commas between"
    )
    security: SecurityConfig = SecurityConfig()
    session_timeout: Annotated[Seconds, Field(ge=6.0, le=300.0)] = Field(
        default=30.0,
        description="after so much silence of the owner a standby takes over; the broker's limits hold too",
    )

    static_member: StaticMember | None = Field(
        default=None,
        description="a name of this process's own that stays over its restarts: the group keeps its place for "
        "session_timeout, and nobody takes over meanwhile. Best left out",
    )

    @property
    def servers(self) -> str:
        """The addresses as aiokafka takes them, with commas between."""
        entries = self.bootstrap.split(",") if isinstance(self.bootstrap, str) else self.bootstrap
        return ",".join(entry.strip() for entry in entries)
