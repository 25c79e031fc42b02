"""The wheel with its core compiled to machine code: a build hook of hatchling.

    HATCH_BUILD_HOOK_ENABLE_CUSTOM=true python -m hatchling build --target wheel

compiles the modules that `pyproject.toml` lists with mypyc, which knows their types from the very annotations that mypy
checks. The sources go into the wheel beside them, for tracebacks. Without that variable the wheel is plain Python, and
says and does the same. It needs a C compiler, the headers of Python, and our dependencies in the environment that
builds: mypy reads their types.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGES = ("consumer", "schemas")
SETUP = """
import json, sys
from mypyc.build import mypycify
from setuptools import setup

options, sys.argv[1:] = json.loads(sys.argv[1]), ["-q", "build_ext", "--inplace", "--parallel", "4"]
setup(name="vestnik", packages=[], py_modules=[], ext_modules=mypycify(options, debug_level="0", multi_file=True))
"""


class CompiledCore(BuildHookInterface):  # type: ignore[type-arg]
    """Compiles in a copy, so that no source tree ever holds a module that hides its source."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        # Until the wheel is made of it; it goes with the process where that fails.
        self._folder = tempfile.TemporaryDirectory(prefix="vestnik-compiled-")
        place = Path(self._folder.name)
        for package in PACKAGES:
            shutil.copytree(Path(self.root, package), place / package, ignore=shutil.ignore_patterns("*.so"))
        # Under its own name setuptools would read it, and find packages where it is to compile modules alone.
        shutil.copy(Path(self.root, "pyproject.toml"), place / "mypy.toml")
        options = json.dumps(["--config-file", "mypy.toml", *self.config["modules"]])
        subprocess.run([sys.executable, "-c", SETUP, options], cwd=place, check=True)
        made = {str(path): str(path.relative_to(place)) for path in place.rglob("*.so")}
        build_data["force_include"].update({path: name for path, name in made.items() if not name.startswith("build")})
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if version != "editable":
            self._folder.cleanup()
