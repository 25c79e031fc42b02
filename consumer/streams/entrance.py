"""Why no broker lets us in, in words: the client library keeps the reason of a failed start to itself."""

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any

from aiokafka import errors
from aiokafka.conn import collect_hosts, create_conn

from consumer.core.model import Trouble
from consumer.streams.bearer import NoTokenError
from consumer.streams.settings import KafkaSettings

KNOCK_SECONDS = 5.0
FAREWELL_SECONDS = 1.0
_CONNECTION = (
    "client_id", "request_timeout_ms", "security_protocol", "ssl_context", "sasl_mechanism", "sasl_plain_username",
    "sasl_plain_password", "sasl_oauth_token_provider",
)  # fmt: skip


async def explained(trouble: Trouble, arguments: Mapping[str, Any]) -> Trouble:
    """The trouble of a client that could not start: where brokers are unreachable by TLS or SASL, one connection more
    is tried and its own error told. `arguments` are the client's."""
    if trouble.reason != "broker_unreachable" or arguments.get("security_protocol", "PLAINTEXT") == "PLAINTEXT":
        return trouble
    for host, port, _ in collect_hosts(arguments["bootstrap_servers"]):
        found = await _knocked(host, port, arguments)
        if found is not None:
            return found
    return trouble


async def explained_anew(trouble: Trouble, settings: KafkaSettings) -> Trouble:
    """The same for a client that is at work: with the secrets as they are now, and not as they were when it began."""
    arguments = settings.connection()
    return arguments if isinstance(arguments, Trouble) else await explained(trouble, arguments)


async def _knocked(host: str, port: int, arguments: Mapping[str, Any]) -> Trouble | None:
    """What stands in the way at one address; None where that has no better words, or nothing does."""
    chosen = {name: arguments[name] for name in _CONNECTION if name in arguments}
    try:
        async with asyncio.timeout(KNOCK_SECONDS):
            connection = await create_conn(host, port, **chosen)
    except (errors.KafkaError, OSError, TimeoutError) as error:
        return _words(f"{host}:{port}", error, arguments)
    await asyncio.wait({connection.close()}, timeout=FAREWELL_SECONDS)
    return None


def _words(where: str, error: BaseException, arguments: Mapping[str, Any]) -> Trouble | None:
    chain = [error, *_causes(error)]
    certificate = next((each for each in chain if isinstance(each, ssl.SSLCertVerificationError)), None)
    if certificate is not None:
        return Trouble("tls_failed", f"{where}: {_distrust(certificate)}")
    tls = next((each for each in chain if isinstance(each, ssl.SSLError)), None)
    if tls is not None:
        return Trouble("tls_failed", f"{where}: {_handshake(tls.reason or type(tls).__name__)}")
    refusal = _refusal(where, error, str(arguments.get("sasl_mechanism")))
    by_tls = str(arguments["security_protocol"]).endswith("SSL")
    return refusal or (_hang_up(where, error) if by_tls else None)


def _refusal(where: str, error: BaseException, mechanism: str) -> Trouble | None:
    if isinstance(error, NoTokenError):
        return Trouble("not_authorised", f"there is no token for OAUTHBEARER: {error.args[0]}")
    if isinstance(error, errors.UnsupportedSaslMechanismError):
        return Trouble("not_authorised", f"{where} does not offer {mechanism}")
    if isinstance(error, (errors.SaslAuthenticationFailed, errors.AuthenticationFailedError)):
        what = "the token" if mechanism == "OAUTHBEARER" else "the user or the password"
        return Trouble("not_authorised", f"{where} refused {what} ({mechanism})")
    return None


def _hang_up(where: str, error: BaseException) -> Trouble | None:
    """Nobody who speaks TLS hangs up in silence; what another kind of listener or proxy does in the handshake."""
    if isinstance(error, (ConnectionResetError, ConnectionAbortedError)):
        return Trouble("tls_failed", f"{where} hung up in the handshake: is TLS spoken there?")
    if isinstance(error, errors.KafkaConnectionError) and "closed" in str(error):
        return Trouble("tls_failed", f"{where} hung up after the handshake: does it want a certificate of ours?")
    return None


def _causes(error: BaseException) -> list[BaseException]:
    """What an error came of, nearest first."""
    found: list[BaseException] = []
    while (cause := error.__cause__ or error.__context__) is not None and len(found) < 8:
        found.append(cause)
        error = cause
    return found


_EXPIRED, _NOT_YET = 10, 9
_NAME_CODES = (62, 64)


def _distrust(error: ssl.SSLCertVerificationError) -> str:
    """Why the broker's certificate is not good, by OpenSSL's code."""
    if error.verify_code == _EXPIRED:
        return "the broker's certificate has expired"
    if error.verify_code == _NOT_YET:
        return "the broker's certificate is not valid yet; is this machine's clock right?"
    if error.verify_code in _NAME_CODES:
        return f"the broker's certificate is of another host: {error.verify_message}"
    return f"the broker's certificate is signed by nobody whom kafka.security.ca names ({error.verify_message})"


def _handshake(reason: str) -> str:
    if "ALERT" in reason:
        return f"the broker does not accept our certificate, or wants one and got none ({reason})"
    if reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"):
        return "no TLS is spoken there; it is a listener without it"
    return f"the TLS handshake failed ({reason})"
