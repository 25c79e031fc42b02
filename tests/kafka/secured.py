"""A real Kafka with a listener for each way to come in: TLS with certificates, SASL_SSL, and some that are wrong."""

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from consumer.core.model import Trouble
from consumer.streams.settings import Certificate, KafkaSettings, ReadToken, SaslMechanism
from tests.kafka.certificates import Authority, Pair
from tests.kafka.server import KafkaServer, free_port

USER, PASSWORD = "vestnik", "canary-passw0rd-of-kafka"
REAUTH_SECONDS = 2
# By name: what is spoken there. MUTUAL asks for our certificate; SHORT cuts connections whose token has ended.
LISTENERS = {
    "PLAINTEXT": "PLAINTEXT",
    "MUTUAL": "SSL",
    "SASL": "SASL_SSL",
    "SHORT": "SASL_SSL",
    "EXPIRED": "SSL",
    "ELSEWHERE": "SSL",
}
_SCRAM = ("SCRAM-SHA-256", "SCRAM-SHA-512")
_LOGIN = "org.apache.kafka.common.security"


class SecuredKafka(KafkaServer):
    """One broker with all of `LISTENERS`."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.ports = {name: free_port() for name in LISTENERS} | {"PLAINTEXT": self.port}
        self.authority = Authority(folder, "authority")
        self.stranger = Authority(folder, "stranger")
        hosts = ("localhost", "127.0.0.1")
        self._pairs = {
            "MUTUAL": self.authority.pair("broker", hosts=hosts),
            "EXPIRED": self.authority.pair("expired", hosts=hosts, days=-1),
            "ELSEWHERE": self.authority.pair("elsewhere", hosts=("kafka.example",)),
        }
        self.client = self.authority.pair("client")
        self.strange_client = self.stranger.pair("strange-client")
        self.properties = self._addresses() | self._tls() | self._sasl("SASL") | self._sasl("SHORT")
        for mechanism in ("oauthbearer", "plain", "scram-sha-512"):
            self.properties[f"listener.name.short.{mechanism}.connections.max.reauth.ms"] = str(REAUTH_SECONDS * 1000)

    def _addresses(self) -> dict[str, str]:
        all_of_them = ",".join(f"{name}://127.0.0.1:{port}" for name, port in self.ports.items())
        protocols = {**LISTENERS, "CONTROLLER": "PLAINTEXT"}
        return {
            "listeners": f"{all_of_them},CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": all_of_them,
            "inter.broker.listener.name": "PLAINTEXT",
            "listener.security.protocol.map": ",".join(f"{name}:{kind}" for name, kind in protocols.items()),
        }

    def _tls(self) -> dict[str, str]:
        found = {"ssl.truststore.type": "PEM", "ssl.truststore.location": str(self.authority.certificate)}
        for name, kind in LISTENERS.items():
            if kind != "PLAINTEXT":
                pair = self._pairs.get(name, self._pairs["MUTUAL"])
                prefix = f"listener.name.{name.lower()}.ssl"
                found[f"{prefix}.keystore.type"] = "PEM"
                found[f"{prefix}.keystore.location"] = str(pair.both)
                found[f"{prefix}.client.auth"] = "required" if name == "MUTUAL" else "none"
        return found

    def _sasl(self, listener: str) -> dict[str, str]:
        prefix = f"listener.name.{listener.lower()}"
        plain = f'{_LOGIN}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
        bearer = f'{_LOGIN}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";'
        scram = f"{_LOGIN}.scram.ScramLoginModule required;"
        return {
            f"{prefix}.sasl.enabled.mechanisms": ",".join(("PLAIN", *_SCRAM, "OAUTHBEARER")),
            f"{prefix}.plain.sasl.jaas.config": plain,
            f"{prefix}.oauthbearer.sasl.jaas.config": bearer,
            **{f"{prefix}.{mechanism.lower()}.sasl.jaas.config": scram for mechanism in _SCRAM},
        }

    def _tool(self, jars: Path, *arguments: str) -> str:
        """People whom SCRAM knows are written into the storage before the first start."""
        if "format" in arguments:
            users = [f"{mechanism}=[name={USER},password={PASSWORD}]" for mechanism in _SCRAM]
            arguments += tuple(word for user in users for word in ("--add-scram", user))
        return super()._tool(jars, *arguments)

    # --- ways in ------------------------------------------------------------------------------------------------------

    def plain(self) -> KafkaSettings:
        return KafkaSettings(self.bootstrap)

    def tls(self, listener: str = "MUTUAL", *, ca: Path | None = None, pair: Pair | None = None) -> KafkaSettings:
        """By TLS, with the good authority and our good certificate if nothing else is said."""
        shown = pair or self.client
        return KafkaSettings(
            f"127.0.0.1:{self.ports[listener]}",
            security="SSL",
            ca_file=str(ca or self.authority.certificate),
            certificate=Certificate(str(shown.certificate), str(shown.key)),
        )

    def sasl(self, mechanism: SaslMechanism, *, password: str = PASSWORD, listener: str = "SASL") -> KafkaSettings:
        """By a password."""
        settings = replace(self.tls(listener), security="SASL_SSL", certificate=None)
        return replace(settings, sasl_mechanism=mechanism, username=USER, password=lambda: password)

    def bearer(self, token: ReadToken, listener: str = "SASL") -> KafkaSettings:
        """By a token."""
        return replace(self.sasl("OAUTHBEARER", listener=listener), token=token)


@dataclass
class Issuer:
    """Makes tokens that the broker believes (unsigned: it is told to), and counts them."""

    lifetime_seconds: float = 3600.0
    issued: int = 0
    trouble: Trouble | None = None

    async def read(self) -> str | Trouble:
        if self.trouble is not None:
            return self.trouble
        self.issued += 1
        now = time.time()
        return unsigned({"sub": USER, "iat": now - 1, "exp": now + self.lifetime_seconds})


def unsigned(claims: Mapping[str, object]) -> str:
    """A JSON web token without a signature."""
    parts = ({"alg": "none"}, claims)
    return ".".join(base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in parts) + "."
