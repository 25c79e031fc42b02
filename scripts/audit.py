"""Are there known holes in what the lock installs? Says "none known" only where every package was looked up.

The lock is exported with its hashes and given to pip-audit, which asks the index's advisories. Where that service
cannot be reached, or does not know a package, this fails and says so: silence is not good news. With `--sbom FILE` the
lock's contents are written as a CycloneDX list instead.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
UV = ROOT / ".tools" / "bin" / "uv"
ENVIRONMENT = ROOT / ".cache" / "audit"
EXPORT = ("export", "--frozen", "--quiet", "--no-emit-project", "--all-extras", "--all-groups")
AUDIT = ("--strict", "--disable-pip", "--require-hashes", "--format", "json", "--progress-spinner", "off")
LOOK_UP_SECONDS = 20
AUDIT_SECONDS = 900

Pinned = frozenset[tuple[str, str]]


def exported(form: str) -> str:
    """The lock, in one of the forms that uv writes."""
    command = [str(UV), *EXPORT, "--format", form]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def pinned(requirements: str) -> Pinned:
    """Name and version of every package that an installation on this machine would have."""
    lines = (line.split(" \\")[0].strip() for line in requirements.splitlines())
    found = [Requirement(line) for line in lines if line and not line.startswith(("#", "--"))]
    here = (each for each in found if each.marker is None or each.marker.evaluate())
    return frozenset((canonicalize_name(each.name), str(each.specifier).removeprefix("==")) for each in here)


def problems(report: Mapping[str, Any], wanted: Pinned) -> Iterator[str]:
    """Every known hole, and every package of which nothing is known."""
    seen: set[tuple[str, str]] = set()
    for package in report.get("dependencies", []):
        name, version = canonicalize_name(package["name"]), package.get("version", "")
        if "skip_reason" in package:
            yield f"{name} was not looked up: {package['skip_reason']}"
            continue
        seen.add((name, version))
        for hole in package.get("vulns", []):
            mended = ", ".join(hole.get("fix_versions", [])) or "nothing yet"
            yield f"{name} {version} has {hole['id']}; mended in {mended}"
    for missing, version in sorted(wanted - seen):
        yield f"{missing} {version} was not looked up"


def audited(requirements: str) -> Mapping[str, Any] | str:
    """pip-audit's report, or what it said instead of one."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "requirements.txt"
        path.write_text(requirements, "utf-8")
        chosen = ["--only-group", "audit", "--frozen", "--quiet", "--python", str(UV.parent / "python")]
        asked = [*AUDIT, "--timeout", str(LOOK_UP_SECONDS), "-r", str(path)]
        done = subprocess.run(
            [str(UV), "run", *chosen, "pip-audit", *asked],
            cwd=ROOT, check=False, capture_output=True, text=True, timeout=AUDIT_SECONDS,
            env=os.environ | {"UV_PROJECT_ENVIRONMENT": str(ENVIRONMENT)},
        )  # fmt: skip
    try:
        report: Mapping[str, Any] = json.loads(done.stdout)
    except ValueError:
        return done.stderr.strip()[-2000:] or f"pip-audit ended with {done.returncode} and said nothing"
    return report


def told(found: Iterable[str], count: int) -> int:
    """Print the verdict; the exit code."""
    lines = list(found)
    for line in lines:
        print(line)
    if lines:
        print(f"{len(lines)} problems: the lock is not known to be free of holes")
        return 1
    print(f"no known hole in {count} packages, each of them looked up")
    return 0


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--sbom"]:
        Path(arguments[1]).write_text(exported("cyclonedx1.5"), "utf-8")
        return 0
    requirements = exported("requirements.txt")
    wanted, report = pinned(requirements), audited(requirements)
    if isinstance(report, str):
        return told([f"nothing was looked up. pip-audit says: {report}"], len(wanted))
    return told(problems(report, wanted), len(wanted))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
