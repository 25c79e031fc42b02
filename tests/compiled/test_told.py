"""Whoever has the compiled core is told so."""

import json

from scripts import compiled
from tests.compiled.test_compiled import printed


def test_the_command_line_tells_that_the_core_is_compiled() -> None:
    told = printed(compiled.built(), ["-m", "consumer.app.cli", "version", "--output", "json"])
    assert json.loads(told)["core"] == "compiled"
