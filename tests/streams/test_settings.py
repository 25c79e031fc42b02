"""Settings become the library's arguments, and nothing of a secret can be printed."""

import logging
import ssl
from pathlib import Path

from consumer.core.model import Trouble
from consumer.streams.settings import LOGGER, KafkaSettings, Timing, quiet_library


def test_a_member_never_commits_resets_or_creates_by_itself() -> None:
    """The values that the reliability page pins."""
    arguments = KafkaSettings("one:9092").belonging("vestnik.app-push")
    assert not isinstance(arguments, Trouble)
    pinned = {
        "group_id": "vestnik.app-push",
        "enable_auto_commit": False,
        "auto_offset_reset": "none",
        "isolation_level": "read_committed",
        "session_timeout_ms": 30000,
        "heartbeat_interval_ms": 3000,
        "rebalance_timeout_ms": 25000,
        "request_timeout_ms": 40000,
        "max_poll_interval_ms": 2147483647,
        "max_partition_fetch_bytes": 262144,
        "fetch_max_bytes": 8388608,
    }
    assert {name: arguments[name] for name in pinned} == pinned


def test_a_rebalance_ends_before_its_request_does() -> None:
    """Else a join is given up that the group still works on."""
    assert Timing().rebalance_ms < Timing().request_ms


def test_a_producer_is_idempotent_and_waits_for_all_replicas() -> None:
    """Durable first."""
    arguments = KafkaSettings("one:9092").producing()
    assert not isinstance(arguments, Trouble)
    assert (arguments["enable_idempotence"], arguments["acks"]) == (True, "all")
    assert arguments["max_request_size"] > 1024 * 1024


def test_tls_verifies_and_scram_asks_for_the_password_each_time() -> None:
    """A rotated password is taken up by the next client."""
    passwords = iter(["old", "new"])
    settings = KafkaSettings(
        "one:9093",
        security="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-512",
        username="vestnik",
        password=lambda: next(passwords),
    )
    first, second = settings.connection(), settings.connection()
    assert not isinstance(first, Trouble)
    assert not isinstance(second, Trouble)
    assert (first["sasl_plain_password"], second["sasl_plain_password"]) == ("old", "new")
    assert (first["sasl_mechanism"], first["sasl_plain_username"]) == ("SCRAM-SHA-512", "vestnik")
    context = first["ssl_context"]
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_what_cannot_be_read_is_trouble(tmp_path: Path) -> None:
    """A secret without its file, a CA file that is missing or none."""
    secret = Trouble("other", "the file of the password is missing")
    assert KafkaSettings("one:9092", security="SASL_PLAINTEXT", password=lambda: secret).producing() == secret
    assert isinstance(KafkaSettings("one:9093", security="SSL", ca_file=str(tmp_path / "no.pem")).consuming(), Trouble)
    (tmp_path / "bad.pem").write_text("no certificate")
    assert isinstance(KafkaSettings("one:9093", security="SSL", ca_file=str(tmp_path / "bad.pem")).consuming(), Trouble)


def test_the_password_is_in_no_repr() -> None:
    """Nor is the function that knows it."""
    assert "password" not in repr(KafkaSettings("one:9092", password=lambda: "canary"))


def test_the_library_cannot_log_values() -> None:
    """Its debug lines hold record values and the SASL password."""
    logging.getLogger(LOGGER).setLevel(logging.DEBUG)
    quiet_library()
    assert not logging.getLogger(f"{LOGGER}.conn").isEnabledFor(logging.DEBUG)
    logging.getLogger(LOGGER).setLevel(logging.ERROR)
    quiet_library()
    assert logging.getLogger(LOGGER).level == logging.ERROR
    logging.getLogger(LOGGER).setLevel(logging.INFO)
