"""A former version of the program, taken out of the repository's history."""

import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMMIT = "a3a086bb4f81c3fb1bd8e40a0689d6b9f0f26da1"
PARTS = ("consumer", "schemas")


def is_there() -> bool:
    """Whether the history reaches so far back: an archive has none, and a shallow clone a short one."""
    return subprocess.run(["git", "cat-file", "-e", f"{COMMIT}^{{commit}}"], cwd=ROOT, check=False).returncode == 0


def unpacked(folder: Path) -> Path:
    """The former version's packages in a folder."""
    packed = subprocess.run(["git", "archive", COMMIT, *PARTS], cwd=ROOT, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def command(config: Path) -> list[str]:
    """`vestnik run`, by whatever packages come first on the path; -P, for the working directory would come before."""
    return [sys.executable, "-P", "-m", "consumer.app.cli", "run", "--config", str(config)]


def place_of(packages: Path) -> Path:
    """Where a process that is given these packages finds the program."""
    script = "import consumer.app.config as found; print(found.__file__)"
    environment = os.environ | {"PYTHONPATH": str(packages)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", script], env=environment, check=True, capture_output=True, text=True
    )
    return Path(done.stdout.strip())
