"""What a process gives up before it holds secrets: core dumps, and being read by others of the same user."""

import ctypes
import resource
import sys

_PR_SET_DUMPABLE = 4


def keep_memory_private() -> bool:
    """No core dump of this process, neither to a file nor to a collector, and no debugger but root's. Whether the
    system did both; where it cannot (it is no Linux), the process goes on with what it got."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform != "linux":
        return False
    # The limit does not stop dumps that the system pipes to a program; this does.
    return int(ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)) == 0
