"""Where a secret lies, never what it is: the value is read by whoever needs it, at the moment it is needed."""

from collections.abc import Callable

from pydantic import Field, model_validator

from consumer.core.document import Strict
from consumer.core.model import Trouble


class SecretRef(Strict):
    """Exactly one of a file's path or an environment variable's name."""

    file: str | None = Field(default=None, min_length=1, description="path of a file that holds the secret alone")
    env: str | None = Field(default=None, min_length=1, description="name of an environment variable")

    @model_validator(mode="before")
    @classmethod
    def _not_the_secret_itself(cls, data: object) -> object:
        if isinstance(data, str | int | float):
            raise ValueError("a secret is never written here; say {file: PATH} or {env: NAME}")  # noqa: TRY004
        return data

    @model_validator(mode="after")
    def _exactly_one(self) -> "SecretRef":
        if (self.file is None) == (self.env is None):
            raise ValueError("a secret comes from exactly one place; say {file: PATH} or {env: NAME}")
        return self

    @property
    def where(self) -> str:
        """For people: "file /run/secrets/key" or "environment variable IMSHOP_KEY"."""
        return f"file {self.file}" if self.file is not None else f"environment variable {self.env}"

    def __repr__(self) -> str:
        return f"SecretRef({self.where})"

    __str__ = __repr__


ReadSecret = Callable[[SecretRef], str | Trouble]
"""Reads a secret at each call, so that a rotated key is seen. Trouble with reason "other" when it cannot be read."""
