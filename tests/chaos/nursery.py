"""A process that has imported everything and forks one more for each wish: a start costs moments instead of seconds of
CPU, so that hundreds of kills take minutes."""

import atexit
import contextlib
import json
import os
import random
import selectors
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

BORN_SECONDS = 60.0


class Child:
    """A forked process, with what tests use of `subprocess.Popen`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ended = threading.Event()

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if not self._ended.wait(timeout):
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def ended(self, code: int) -> None:
        self.returncode = code
        self._ended.set()


class Nursery:
    """The tests' side. One at a time is born; who has ended is heard of by a thread."""

    def __init__(self, root: Path) -> None:
        environment = os.environ | {"PYTHONPATH": str(root)}
        command = [sys.executable, "-m", "tests.chaos.nursery"]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._process = subprocess.Popen(command, env=environment, cwd=root, **pipes)
        self._children: dict[int, Child] = {}
        self._early: dict[int, int] = {}
        self._lock = threading.Lock()
        self._births: list[int] = []
        self._born = threading.Semaphore(0)
        threading.Thread(target=self._listen, daemon=True).start()

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> Child:
        """`vestnik` with these arguments, in a process of its own."""
        assert self._process.stdin is not None
        with self._lock:
            wish = {"arguments": list(arguments), "environment": dict(environment), "log": str(log)}
            self._process.stdin.write(json.dumps(wish) + "\n")
            self._process.stdin.flush()
            if not self._born.acquire(timeout=BORN_SECONDS):
                raise TimeoutError("nobody was born")
            pid = self._births.pop()
            child = self._children[pid] = Child(pid)
            if pid in self._early:
                child.ended(self._early.pop(pid))
        return child

    def close(self) -> None:
        """It ends with its standard input, and so does the thread that listens to it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=10)

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._hear(line)

    def _hear(self, line: str) -> None:
        word, pid, code = line.split()
        if word == "born":
            self._births.append(int(pid))
            self._born.release()
        elif int(pid) in self._children:
            self._children.pop(int(pid)).ended(int(code))
        else:
            self._early[int(pid)] = int(code)


@cache
def nursery() -> Nursery:
    """The one of this test process."""
    made = Nursery(Path(__file__).resolve().parents[2])
    atexit.register(made.close)
    return made


# --- the other side ---------------------------------------------------------------------------------------------------


def main() -> None:
    """Import, then fork for each line until there are no more."""
    import consumer.app.cli  # noqa: PLC0415
    import consumer.app.metrics  # noqa: PLC0415
    import consumer.app.wiring  # noqa: F401, PLC0415
    from tests.chaos.killpoints import spots  # noqa: PLC0415

    spots()
    inner, outer = os.pipe()
    os.set_blocking(outer, False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.set_wakeup_fd(outer, warn_on_full_buffer=False)
    with selectors.DefaultSelector() as watched:
        watched.register(sys.stdin, selectors.EVENT_READ)
        watched.register(inner, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in watched.select()}
            if inner in ready:
                os.read(inner, 512)
                _bury()
            if sys.stdin in ready:
                # One wish at a time is under way, so that nothing is left in the buffer.
                line = sys.stdin.readline()
                if not line:
                    _leave_nobody()
                    return
                _bear(json.loads(line))


_LIVING: set[int] = set()


def _leave_nobody() -> None:
    """Whoever asked for them may have been killed: nobody works on without being looked at."""
    for pid in _LIVING:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _bear(wish: dict[str, Any]) -> None:
    pid = os.fork()
    if pid:
        _LIVING.add(pid)
        sys.stdout.write(f"born {pid} 0\n")
        sys.stdout.flush()
        return
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    random.seed()
    os.environ.update(wish["environment"])
    log = os.open(wish["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    from tests.chaos.killpoints import run  # noqa: PLC0415

    code = 1
    try:
        run(wish["arguments"])
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    finally:
        sys.stderr.flush()
        os._exit(code)


def _bury() -> None:
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            _LIVING.discard(found[0])
            sys.stdout.write(f"ended {found[0]} {os.waitstatus_to_exitcode(found[1])}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
