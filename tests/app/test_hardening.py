"""A running process leaves no core behind."""

import inspect
import os
import subprocess
import sys

from consumer.app.service import run_service

SCRIPT = """
import ctypes, os, resource
_, hard = resource.getrlimit(resource.RLIMIT_CORE)
resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
from consumer.app.hardening import keep_memory_private
assert keep_memory_private()
assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
PR_GET_DUMPABLE = 3
assert ctypes.CDLL(None).prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0
print("private", flush=True)
os.abort()
"""


def test_a_process_that_dies_leaves_no_core() -> None:
    process = subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    _, status = os.waitpid(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.stdout is not None
    with process.stdout as said:
        assert said.read() == b"private\n"
    assert (os.WTERMSIG(status), os.WCOREDUMP(status)) == (6, False)


def test_vestnik_run_is_such_a_process() -> None:
    """The call stands first in the life of the process, before a secret is read for a request."""
    source = inspect.getsource(run_service)
    assert source.index("keep_memory_private()") < source.index("configure(")
