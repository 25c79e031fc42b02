"""The row on the image: what its recipe says, and the consumer run as the recipe runs it, without root on a tree that
it cannot write. The image itself is built elsewhere."""

import asyncio
import os
import re
import shutil
import sys
from pathlib import Path

import aiohttp

from consumer.demo.shop import Pace
from tests.chaos.row import Outcome, Row
from tests.chaos.stage import Stage, eventually, stage
from tests.kafka.server import free_port
from tests.tidy.repository import ROOT

USER = 10001
RECIPE = ROOT / "Dockerfile"
STOP_SECONDS = 30.0
SECRET_LIKE = re.compile(r"(SECRET|TOKEN|PASSWORD|PASSWD|_KEY|CREDENTIAL)\w*=", re.IGNORECASE)


def interpreter() -> str:
    """A Python of this version that another user may run; empty where there is none."""
    wanted = f"python{sys.version_info.major}.{sys.version_info.minor}"
    found = (Path(folder) / wanted for folder in ("/usr/bin", "/usr/local/bin"))
    return next((str(path) for path in found if path.is_file() and _is_open(path)), "")


def hindrance() -> str:
    """Why the row cannot run here."""
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        return "running as another user needs root and setpriv"
    if not interpreter():
        return "there is no Python of this version that another user may run"
    return "" if _is_open(ROOT) else "another user may not read the sources here"


def _is_open(path: Path) -> bool:
    """Whether everybody may reach and read it."""
    return all(
        each.stat().st_mode & 0o005 == 0o005 or each == Path("/") for each in (path.resolve(), *path.resolve().parents)
    )


def flaws(text: str) -> list[str]:
    """What is wrong with a recipe, one word each."""
    last = text[text.rindex("\nFROM ") :]
    lines = [line.split("#")[0].strip() for line in last.splitlines()]
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    checks = {
        "root": not users or not users[-1].split(":")[0].isdigit() or users[-1].split(":")[0] == "0",
        "shell form": not any(line.startswith("ENTRYPOINT [") for line in lines),
        "no STOPSIGNAL": "STOPSIGNAL SIGTERM" not in lines,
        "no HEALTHCHECK": not any(line.startswith("HEALTHCHECK") and "NONE" not in line for line in lines),
        "secrets": bool(
            SECRET_LIKE.search("\n".join(line for line in text.splitlines() if re.match(r"\s*(ENV|ARG) ", line)))
        ),
        "unlocked": "--frozen" not in text,
        "plain core": not re.search(r"^ARG COMPILER=\"gcc ", text, re.MULTILINE)
        or not re.search(r"HATCH_BUILD_HOOK_ENABLE_CUSTOM=\S+ \S+ -m hatchling build --target wheel", text),
        "tools of the build": bool(re.search(r"^(RUN|COPY) .*(apt-get|pip|uv|/opt/builder)\b", last, re.MULTILINE)),
        "no pin": ":latest" in text or not re.search(r"^ARG \w*IMAGE=\S+:\d", text, re.MULTILINE),
    }
    return [name for name, wrong in checks.items() if wrong]


async def image(folder: Path) -> Outcome:
    found = flaws(RECIPE.read_text("utf-8"))
    world = _open_folder(folder)
    async with stage(world, fast=60.0) as play:
        _give_away(world)
        process, port = await _started(play)
        try:
            play.open(Pace(seconds=60.0, per_second=20.0, burst=5))
            await play.sell(60)
            told = await eventually(lambda: _told(play), 60)
            healthy = await _status(port, "/livez")
            status = _status_of(process.pid)
            process.terminate()
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        finally:
            if process.returncode is None:
                process.kill()
    written = _written()
    caps, uid = int(status["CapEff"], 16), int(status["Uid"].split()[0])
    return Outcome(
        not found and told is not None and healthy == 200 and uid == USER and not caps and not written
        and process.returncode == 0 and status["NoNewPrivs"] == "1",
        f"the recipe: flaws {len(found)} {', '.join(found)}; run as uid {uid} with capabilities {caps:x} and no new "
        f"privileges: {'told people' if told is not None else 'told nobody'}, /livez {healthy}, "
        f"files written beside its own {len(written)}, exit code {process.returncode}",
        {"flaws": len(found), "uid": uid, "capabilities": caps, "files_written": len(written),
         "exit_code": process.returncode if process.returncode is not None else -1},
    )  # fmt: skip


def _written() -> list[Path]:
    """What the other user has left among the sources."""
    rooms = (ROOT / "consumer", ROOT / "schemas")
    return [path for room in rooms for path in room.rglob("*") if path.stat().st_uid == USER]


def _open_folder(folder: Path) -> Path:
    """A folder in it that another user may reach."""
    folder.chmod(0o755)
    world = folder / "world"
    world.mkdir()
    return world


def _give_away(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        os.chown(path, USER, USER)


async def _started(play: Stage) -> tuple[asyncio.subprocess.Process, int]:
    """The consumer as another user, without capabilities, with nothing of this environment."""
    port = free_port()
    packages = next(path for path in map(Path, sys.path) if path.name == "site-packages")
    who = ["--reuid", str(USER), "--regid", str(USER), "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]
    variables = {
        "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": f"{ROOT}:{packages}",
        "VESTNIK_ADMIN_PORT": str(port), "HOME": "/nonexistent",
    }  # fmt: skip
    command = "import sys; sys.argv[0] = 'vestnik'; from consumer.app.cli import main; sys.exit(main())"
    with (play.world.folder.parent / "consumer.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            "setpriv", *who, "--no-new-privs", interpreter(), "-c", command, "run", "--config", str(play.world.config),
            env=variables, cwd="/", stdout=log, stderr=log,
        )  # fmt: skip
    return process, port


async def _told(play: Stage) -> bool:
    return all(fake.deliveries for fake in play.world.fakes.values())


async def _status(port: int, path: str) -> int:
    timeout = aiohttp.ClientTimeout(total=3)
    address = f"http://127.0.0.1:{port}{path}"
    async with aiohttp.ClientSession(timeout=timeout) as session, session.get(address) as answer:
        return answer.status


def _status_of(process: int) -> dict[str, str]:
    lines = Path(f"/proc/{process}/status").read_text("utf-8").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


ROWS = (
    Row(
        "X-8", "an image with root, secrets, a shell form, or a tree that must be writable", "none of them",
        "flaws of the recipe 0; another uid, capabilities 0, nothing written, exit code 0", image, 1.0,
        selection=False, again="no", not_run=hindrance(),
        test="tests/deploy/test_manifests.py::test_the_dockerfile_is_tidy",
    ),
)  # fmt: skip
