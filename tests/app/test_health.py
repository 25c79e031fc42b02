"""`vestnik health` says what the admin port of the process beside it says."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from consumer.app.cli import app
from consumer.app.commands.shared import FAILED, FINE, USAGE

ANSWERS = {"/livez": (200, b"ok\n"), "/readyz": (503, b"app-push: blocked: bad_key\n")}


class _Port(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, body = ANSWERS[self.path]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Tests say enough."""


@pytest.fixture
def port() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), _Port) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        yield server.server_port
        server.shutdown()
        serving.join()


def config_of(folder: Path, admin: str) -> str:
    path = folder / "vestnik.yaml"
    path.write_text(f"admin: {admin}\nlanes: not even looked at\n", "utf-8")
    return str(path)


def test_it_is_alive_where_the_port_of_the_configuration_says_so(tmp_path: Path, port: int) -> None:
    said = CliRunner().invoke(app, ["health", "-c", config_of(tmp_path, f"{{port: {port}}}")])
    assert (said.exit_code, said.output) == (FINE, "ok\n")


def test_it_is_not_ready_and_why(tmp_path: Path, port: int) -> None:
    said = CliRunner().invoke(app, ["health", "--ready", "-c", config_of(tmp_path, f"{{port: {port}}}")])
    assert (said.exit_code, said.output) == (FAILED, "app-push: blocked: bad_key\n")


def test_the_environment_stands_above_the_configuration(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VESTNIK_ADMIN_PORT", str(port))
    assert CliRunner().invoke(app, ["health", "-c", str(tmp_path / "none.yaml")]).exit_code == FINE


def test_nobody_answers(tmp_path: Path, port: int) -> None:
    said = CliRunner().invoke(app, ["health", "-c", config_of(tmp_path, "{port: 1}")])
    assert said.exit_code == FAILED
    assert "nothing answers on port 1" in said.output


@pytest.mark.parametrize(("admin", "words"), [("{port: 0}", "any free one"), ("{port: [", "cannot be read")])
def test_where_to_ask_cannot_be_known(tmp_path: Path, admin: str, words: str) -> None:
    said = CliRunner().invoke(app, ["health", "-c", config_of(tmp_path, admin)])
    assert said.exit_code == USAGE
    assert words in said.output
