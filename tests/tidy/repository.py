"""The repository speaks of the project alone: no paths of somebody's machine, no package mirrors."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PUBLIC_INDEXES = (
    "pypi.org",
    "files.pythonhosted.org",
    "maven.apache.org",
    "repo.maven.apache.org",
    "repo1.maven.org",
)

# Put together here, so that the rule does not find itself.
PLACES = "|".join(("wo" + "rk", "ro" + "ot", "ho" + "me", "Us" + "ers", "tm" + "p", "mn" + "t"))
MACHINE_PATH = re.compile(rf"""(?:^|[\s"'`(=:@\[]|file://)(/(?:{PLACES})/[\w.+-]+)""", re.MULTILINE)
HOST = re.compile(r"https?://(?:[^/\s\"'@]*@)?([\w-]+(?:\.[\w-]+)+)")
INDEX_LIKE = re.compile(r"pypi|pythonhosted|mirror|artifactory|nexus|devpi|maven")
PARTS_PASSED_OVER = frozenset(
    {".git", ".venv", ".tools", ".cache", ".hypothesis", ".mypy_cache", ".ruff_cache", ".pytest_cache", "__pycache__"}
    | {"dist", "build", "htmlcov"}
)


def tracked() -> list[Path]:
    """Every file of the repository; from an archive without git, every file but what is made on the way."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    top = subprocess.run(["git", "rev-parse", "--show-toplevel"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0 and Path(top.stdout.strip()) == ROOT:
        names = {ROOT / name for name in listed.stdout.split("\0") if name}
        return sorted(path for path in names if path.is_file())
    found = (path for path in ROOT.rglob("*") if path.is_file())
    return sorted(path for path in found if not _made(path))


def _made(path: Path) -> bool:
    return bool(PARTS_PASSED_OVER & set(path.relative_to(ROOT).parts)) or path.name.startswith(".coverage")


def machine_paths(path: str, text: str) -> Iterator[str]:
    """No file names a place on somebody's machine."""
    for match in MACHINE_PATH.finditer(text):
        yield f"{path}:{_line(text, match.start(1))}: {match[1]} is a place on one machine"


def mirror_hosts(path: str, text: str) -> Iterator[str]:
    """Packages come from the public indexes, or from where the user's own settings say."""
    for match in HOST.finditer(text):
        if INDEX_LIKE.search(match[1]) and match[1] not in PUBLIC_INDEXES:
            yield f"{path}:{_line(text, match.start(1))}: {match[1]} is not a public package index"


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1
