"""What may stand under `sources:` and `registry:`: what records are wrapped in, and who keeps their schemas."""

from pydantic import Field, model_validator

from consumer.core.document import Strict
from consumer.core.formats import Format
from consumer.core.secrets import SecretRef
from consumer.sinks.http import url_problem


class SourceConfig(Strict):
    """One source topic, where its records are not plain events of ours."""

    format: Format = Field(default=Format.AUTO, description="what records are wrapped in; auto finds it out for each")
    type_prefix: str = Field(
        default="", max_length=128, description='taken off the types that envelopes say, e.g. "com.example."'
    )
    mapping: str | None = Field(
        default=None,
        min_length=1,
        description="makes our events of another system's: a file, or one of those that Vestnik brings (saleor, "
        "shopify, commercetools, bitrix)",
    )


class RegistryConfig(Strict):
    """The schema registry of records in Confluent's wire format."""

    url: str = Field(description="https address")
    user: str | None = Field(default=None, min_length=1, pattern="^[^:]+$")
    password: SecretRef | None = None
    ca: str | None = Field(default=None, description="path of the CA's certificates (PEM); the system's when left out")
    allow_http: bool = Field(default=False, description="let the registry be reached without TLS")

    @model_validator(mode="after")
    def _reachable(self) -> "RegistryConfig":
        if problem := url_problem(self.url, allow_http=self.allow_http):
            raise ValueError(f"url {problem}")
        if (self.user is None) != (self.password is None):
            raise ValueError("a user goes with a password, and a password with a user")
        return self
