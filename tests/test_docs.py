"""What the pages say is so: commands exist, links lead somewhere, every reason in the code is explained."""

import ast
import importlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from consumer.app.beginning import write_beginning
from consumer.app.config import Config
from consumer.app.setup import Setup, load_setup
from consumer.catalogue import catalogue_files
from consumer.core.document import read_document
from consumer.core.ports import TROUBLES
from consumer.core.routes import RouteSet, load_routes
from consumer.sinks.base import providers
from schemas.dead_letter import DeadReason
from scripts.reference import FOLDER, documents
from tests.tidy.repository import ROOT, tracked

README_LINES = 150
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
PARTS = ("consumer", "schemas", "tests", "docs", "deploy", "scripts", ".ci", ".github")


def pages() -> list[Path]:
    return [path for path in tracked() if path.suffix == ".md"]


def commands(text: str) -> Iterator[str]:
    """Whatever a page shows as `make …` or `vestnik …`, in a line of a shell block or in the running text."""
    shell = (line for kind, body in FENCE.findall(text) if kind in ("sh", "bash") for line in body.splitlines())
    spans = CODE.findall(FENCE.sub("", text))
    for piece in (*shell, *spans):
        words = piece.split("#")[0].split()
        while words and re.fullmatch(r"[A-Z_]+=\S+", words[0]):
            words.pop(0)
        if len(words) > 1 and words[0] in ("make", "vestnik"):
            yield " ".join(words)


def links(text: str) -> Iterator[str]:
    yield from (target for target in LINK.findall(FENCE.sub("", text)) if not re.match(r"[a-z]+:", target))


def anchors(text: str) -> set[str]:
    """The names that a forge gives to headings."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def is_there(path: str, test: str) -> bool:
    found = ROOT / path
    return found.exists() and (not test or f"def {test}(" in found.read_text("utf-8"))


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


@dataclass(frozen=True)
class Word:
    """One word of the command line: its options, and the words that may follow it."""

    options: frozenset[str] = frozenset({"--help"})
    below: Mapping[str, "Word"] = field(default_factory=dict)


@cache
def command_line() -> Word:
    """All commands, with those that the demonstration adds when `vestnik` starts."""
    app = importlib.import_module("consumer.app.cli").app
    importlib.import_module("consumer.demo.commands").add_to(app)
    return _word(typer.main.get_command(app))


def _word(command: object) -> Word:
    assert isinstance(command, TyperCommand | TyperGroup)
    below = command.commands if isinstance(command, TyperGroup) else {}
    options = {name for parameter in command.params if isinstance(parameter, TyperOption) for name in parameter.opts}
    return Word(frozenset(options | {"--help"}), {name: _word(each) for name, each in below.items()})


def exists(command: str, root: Word) -> bool:
    """Whether a command line names a make target, or a command and options that it has."""
    first, *words = command.split()
    if first == "make":
        return {word for word in words if "=" not in word} <= make_targets()
    found = root
    while found.below and words and not words[0].startswith("-"):
        if words[0] not in found.below:
            return False
        found = found.below[words.pop(0)]
    return {word.split("=")[0] for word in words if word.startswith("--")} <= found.options


def blocked_reasons() -> set[str]:
    """The reasons that the code of the providers spells out: in a Blocked, or in a table of them."""
    paths = (ROOT / "consumer" / "sinks").glob("*.py")
    nodes = (node for path in paths for node in ast.walk(ast.parse(path.read_text("utf-8"))))
    found: set[str] = set()
    for node in nodes:
        match node:
            case ast.Call(func=ast.Name(id="Blocked"), args=[ast.Constant(value=str(reason)), *_]):
                found.add(reason)
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if "BLOCKED" in name:
                parts = value.values if isinstance(value, ast.Dict) else ast.walk(value)
                found |= {
                    part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)
                }
    return found


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= README_LINES


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_that_a_page_names_exists(page: Path) -> None:
    named = set(commands(page.read_text("utf-8")))
    assert not named or not {command for command in named if not exists(command, command_line())}


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for link in links(page.read_text("utf-8")):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists() or (anchor and anchor not in anchors(target.read_text("utf-8"))):
            broken.append(link)
    assert not broken


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    named = {span for span in CODE.findall(FENCE.sub("", page.read_text("utf-8"))) if "/" in span and " " not in span}
    ours = {name for name in named if name.split("/")[0] in PARTS and not re.search(r"[<>*…]", name)}
    assert not {name for name in ours if not is_there(*name.partition("::")[::2])}


@pytest.mark.parametrize("reason", sorted({*TROUBLES, *DeadReason, *blocked_reasons()}))
def test_every_reason_of_the_code_is_explained(reason: str) -> None:
    assert f"`{reason}`" in (ROOT / "docs" / "operating.md").read_text("utf-8")


def test_the_commands_in_the_makefile_exist() -> None:
    recipes = (ROOT / "Makefile").read_text("utf-8")
    shown = re.findall(r"^\t@\$\(BIN\)/(vestnik [a-z]+)(.*)$", recipes, re.MULTILINE)
    assert shown
    for command, rest in shown:
        assert exists(" ".join([command, *re.findall(r"--[a-z-]+", rest)]), command_line())


def yaml_blocks(page: str) -> list[str]:
    return [body for kind, body in FENCE.findall((ROOT / page).read_text("utf-8")) if kind == "yaml"]


def test_the_configuration_in_the_readme_is_valid() -> None:
    config = read_document(yaml_blocks("README.md")[0], "README.md", Config)
    assert isinstance(config, Config), config
    for lane in config.lanes.values():
        provider = providers()[lane.provider["type"]]
        assert provider.config.model_validate(lane.provider)


def test_the_route_in_the_readme_is_valid() -> None:
    loaded = load_routes({"README.md": yaml_blocks("README.md")[1]})
    assert isinstance(loaded, RouteSet), loaded


GUIDES = ("docs/how-to-write-a-route.md", "docs/how-to-write-a-route.ru.md")


@pytest.mark.parametrize("guide", GUIDES)
def test_the_route_that_a_guide_shows_does_what_its_examples_say(guide: str, tmp_path: Path) -> None:
    """Set up as the guide says: in the folder that `vestnik init` makes."""
    write_beginning(tmp_path, catalogue_files())
    (tmp_path / "routes" / "guide.yaml").write_text(yaml_blocks(guide)[0], "utf-8")
    found = load_setup(tmp_path / "vestnik.yaml", {})
    assert isinstance(found, Setup), found


def test_the_guides_show_the_same_route() -> None:
    first, second = (re.sub(r" *#.*", "", yaml_blocks(guide)[0]) for guide in GUIDES)
    assert first == second


def conditions(guide: str) -> list[str]:
    """Those of its table, and those that stand after `when:` in its second piece of YAML."""
    table = re.findall(r"^\| `(event\.[^`]+)` \|", (ROOT / guide).read_text("utf-8"), re.MULTILINE)
    return [*table, *re.findall(r"^when: (.+?) *(?:#.*)?$", yaml_blocks(guide)[1], re.MULTILINE)]


@pytest.mark.parametrize("guide", GUIDES)
def test_the_conditions_that_a_guide_shows_are_conditions(guide: str) -> None:
    route = '- {{id: order-{}, on: order.paid, when: "{}", lane: app-push, ttl: 3h, wordings: [{{text: paid}}]}}\n'
    shown = conditions(guide)
    assert len(shown) == 6
    loaded = load_routes({guide: "".join(route.format(index, each) for index, each in enumerate(shown))})
    assert isinstance(loaded, RouteSet), loaded


@pytest.mark.parametrize("name", documents())
def test_a_generated_reference_is_fresh(name: str) -> None:
    assert (FOLDER / name).read_text("utf-8") == documents()[name], "run: make references"


def test_a_command_that_is_not_there_is_found() -> None:
    root = Word(below={"check": Word(), "topics": Word(below={"check": Word()})})
    text = "```sh\nCI=1 make nothing   # no\nvestnik topics paint\n```\nand `vestnik check --loud`, but `vestnik check`"
    assert [command for command in commands(text) if not exists(command, root)] == [
        "make nothing",
        "vestnik topics paint",
        "vestnik check --loud",
    ]
