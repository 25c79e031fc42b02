"""Batches, replies and a reader of secrets, as the tests of the sinks want them."""

import json
from collections.abc import Mapping

from consumer.core.model import Batch, Command, Message, Parcel, Terms, Trouble
from consumer.core.secrets import ReadSecret, SecretRef
from consumer.sinks.http import Reply

MESSAGE = Message("Заказ М-428 ждёт вас", "ПВЗ Boxberry, хранится до 9 сентября", "ducky://account/orders/05671863")
TERMS = Terms("order-ready-for-pickup")
CANARY = "canary-S3cr3t-42424242"


def command(recipient: str, message: Message = MESSAGE) -> Command:
    return Command(recipient.encode()[:12].ljust(12), bytes(4), TERMS, recipient, (message,), None, 0, 0.0, 3600.0)


def batch(*recipients: str, message: Message = MESSAGE) -> Batch:
    return Batch("1.7", 1, (Parcel(message, 0, tuple(command(each, message) for each in recipients)),))


def reply(status: int, body: object = b"", headers: Mapping[str, str] | None = None) -> Reply:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status, headers or {}, text)


def secret(value: str | Trouble = CANARY) -> ReadSecret:
    def read(ref: SecretRef) -> str | Trouble:
        return value

    return read


# Bodies that no provider means as a plain "yes", however they look.
ODD_BODIES: tuple[bytes, ...] = (
    b"", b" ", b"null", b"true", b"false", b"1", b'"success"', b"[]", b'[{"success": true}]', b"{}", b"<html>OK</html>",
    b"success", b'{"success": "true"}', b'{"success": 1}', b'{"success": null}', b'{"success": []}',
    b'{"Success": true}',
    b'{"success": false}', b'{"success": true, "success": false}', b'{"success": false, "success": true}',
    b'{"success": NaN}', b'{"success": true, "at": NaN}', b'{"success": true} x', b'{"success": true',
    b"\xef\xbb\xbf{}",
    b'{"success": true, "error": "no"}', '{"success": true}'.encode("utf-16"), b'{"success": true, "x": "\xff"}',
    b'{"result": "true"}', b'{"result": 1}', b'{"result": false}', b'{"result": []}',
    b'{"result": true, "result": true}',
    b'{"result": true, "error": ""}', b'{"result": true, "error": "0"}', b'{"error": 0}', b'{"error": null}',
    b'{"error": {"code": "x"}}', b'{"error": ["expired_token"]}', b"[" * 100_000, b'{"a":' * 5000, b"9" * 5000,
    b'{"success": true, "n": ' + b"9" * 5000 + b"}",
)  # fmt: skip
