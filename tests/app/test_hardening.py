"""A running process leaves no core behind."""

import subprocess
import sys

SCRIPT = """
import os, resource
from consumer.app.hardening import keep_memory_private
assert keep_memory_private()
assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
status = open("/proc/self/status").read()
print("CoreDumping" in status, os.stat("/proc/self/environ").st_uid)
os.abort()
"""


def test_a_process_that_dies_leaves_no_core() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout.startswith("True 0")
    # A core would be marked in the status that the parent is given.
    assert done.returncode == -6
