"""Who takes part: Vestnik, the bare loop, and the frameworks that others use, each installed on its own.

Frameworks live in environments of their own under `.cache/peers`, made by the repository's uv at pinned versions: they
are no dependencies of ours. What cannot be installed is named and left out.
"""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from consumer.app import build
from tests.benchmarks.provider import ROOT

PEERS = ROOT / ".cache" / "peers"
UV = ROOT / ".tools" / "bin" / "uv"
INSTALL_SECONDS = 600
SHARED = ("aiohttp==3.14.5", "jinja2==3.1.6")
PYDANTIC = "pydantic==2.14.3"
QUIX = ("quixstreams==3.28.1", "requests==2.34.2", *SHARED)
ARROYO = ("sentry-arroyo==2.48.0", "requests==2.34.2", *SHARED, PYDANTIC)
SETTINGS_OF_TOPICS = "it asks for the settings of its topics, and the embedded broker knows none"
ALL_PLAIN = "no core is compiled here, and Vestnik is plain itself"
PACKAGE = "tests.benchmarks.contestants"


@dataclass(frozen=True, slots=True)
class Contestant:
    """One way of doing the job. `needs` are the pinned packages of its environment; none: it runs in ours. `lean`:
    with the bare HTTP client of the standard library in the place of the usual one. Without `http` its pushes go
    nowhere, and are accepted at once. `needs_kafka`: why the embedded broker is not enough for it. `plain`: without the
    compiled core, where the others have it."""

    name: str
    module: str
    needs: tuple[str, ...] = ()
    uvloop: bool = False
    lean: bool = False
    http: bool = True
    needs_kafka: str = ""
    plain: bool = False

    @property
    def is_ours(self) -> bool:
        return self.module == "vestnik_run"

    @property
    def python(self) -> str:
        return str(self.place / "bin" / "python") if self.needs else sys.executable

    @property
    def place(self) -> Path:
        """The environment, which variants of one framework share."""
        return PEERS / self.name.removesuffix("-lean")

    @property
    def command(self) -> list[str]:
        return [self.python, "-m", f"{PACKAGE}.{self.module}"]

    def vestnik(self, *, embedded: bool, profile: Path | None = None, nowhere: Path | None = None) -> list[str]:
        """The real command; on the embedded broker, without HTTP and to be profiled, the same from within."""
        if not embedded and profile is None and nowhere is None:
            return [str(Path(sys.executable).with_name("vestnik")), "run", "--config"]
        profiled = [] if profile is None else ["-m", "cProfile", "-o", str(profile)]
        options = ["--embedded"] if embedded else []
        told = [] if nowhere is None else ["--nowhere", str(nowhere)]
        return [self.python, *profiled, "-m", f"{PACKAGE}.{self.module}", *options, *told]


CONTESTANTS = {
    each.name: each
    for each in (
        Contestant("vestnik", "vestnik_run"),
        Contestant("vestnik-plain", "vestnik_run", plain=True),
        Contestant("vestnik-null", "vestnik_run", http=False),
        Contestant("bare", "bare"),
        Contestant("bare-uvloop", "bare", uvloop=True),
        Contestant("faststream", "faststream_batch", ("faststream[kafka]==0.7.8", "aiokafka==0.14.0", *SHARED)),
        Contestant(
            "faust", "faust_agent", ("faust-streaming==0.15.3", "aiokafka==0.14.0", "pydantic==2.14.3", *SHARED)
        ),
        Contestant("quix", "quix_sink", QUIX, needs_kafka=SETTINGS_OF_TOPICS),
        Contestant("quix-lean", "quix_sink", QUIX, lean=True, needs_kafka=SETTINGS_OF_TOPICS),
        Contestant("arroyo", "arroyo_threads", ARROYO),
        Contestant("arroyo-lean", "arroyo_threads", ARROYO, lean=True),
    )
}


def core_is_compiled() -> bool:
    """Whether this process, and what it starts, has the compiled core."""
    return build.core() == "compiled"


def missing(contestants: Sequence[Contestant], *, embedded: bool) -> dict[str, str]:
    """Why those cannot take part that cannot; the environments of the others are there afterwards."""
    unfit = {each.name: each.needs_kafka for each in contestants if embedded and each.needs_kafka}
    unfit |= {each.name: ALL_PLAIN for each in contestants if each.plain and not core_is_compiled()}
    return unfit | install([each for each in contestants if each.name not in unfit])


def install(contestants: Sequence[Contestant]) -> dict[str, str]:
    """Make the environments that are not there yet. Returns why those are missing that cannot be made."""
    missing = {}
    for each in contestants:
        why = _made(each) if each.needs else ""
        if why:
            missing[each.name] = why
    return missing


def _made(contestant: Contestant) -> str:
    place, wanted = contestant.place, "\n".join(contestant.needs)
    done = place / "installed"
    if done.exists() and done.read_text() == wanted:
        return ""
    uv = str(UV) if UV.exists() else shutil.which("uv")
    if uv is None:
        return "uv is not there: run make once"
    made = [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(place)]
    filled = [uv, "pip", "install", "--quiet", "--python", contestant.python, *contestant.needs]
    for command in (made, filled):
        ended = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
        if ended.returncode:
            return ended.stderr.strip().splitlines()[-1] if ended.stderr.strip() else "uv failed"
    done.write_text(wanted)
    return ""
