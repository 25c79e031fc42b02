"""Reads everything that a process is told (configuration, environment, routes) and says all that is wrong with it."""

import hashlib
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from consumer.app.checks import check_setup, lane_facts, warnings_of
from consumer.app.config import Config
from consumer.app.examples import example_files
from consumer.app.overrides import Overridden, applied
from consumer.app.secrets import SecretReader
from consumer.app.sources import Sources, read_mappings, read_types, source_problems
from consumer.core.check import check_examples, check_flawed
from consumer.core.document import Problem, Strict, Tree, locate, read_part, read_tree
from consumer.core.routes import RouteSet, read_routes
from consumer.core.templates import nearest
from consumer.sinks.base import SinkConfig, providers

SNAPSHOT_SUFFIX = ".snapshot.yaml"


@dataclass(frozen=True, slots=True)
class Setup:
    """All that a process was told, and it is sound. `warnings` are for people and stop nothing. `text` is the
    configuration's; `digest` is of it and of the routes, `routes_version` of the routes alone."""

    config: Config
    accounts: Mapping[str, SinkConfig]
    routes: RouteSet
    overridden: Overridden
    read_secret: SecretReader
    base: Path
    digest: str
    warnings: tuple[str, ...] = ()
    text: str = field(default="", repr=False)
    routes_version: str = ""
    sources: Sources = field(default_factory=Sources)

    def path(self, name: str) -> Path:
        """A path of the configuration; relative ones start at its folder."""
        return self.base / name

    def after_lost_offsets(self, begin: Literal["latest", "earliest"]) -> "Setup":
        """The same, with every lane told where to begin if its group's offsets are gone."""
        lanes = {name: lane.model_copy(update={"lost_offsets": begin}) for name, lane in self.config.lanes.items()}
        return replace(self, config=self.config.model_copy(update={"lanes": lanes}))


class Mistakes(list[Problem]):
    """Mistakes, with what people should know beside them: a warning may name the cause of a mistake. `setup`: all that
    there is, where only examples are not as they are expected, so that what is said can be shown."""

    def __init__(self, problems: Iterable[Problem], warnings: tuple[str, ...] = (), setup: Setup | None = None) -> None:
        super().__init__(problems)
        self.warnings = warnings
        self.setup = setup


def load_setup(
    path: Path, environ: Mapping[str, str], lines: tuple[str, str] | None = None, *, keys: bool = True
) -> Setup | list[Problem]:
    """The setup of a configuration file, or every mistake in it, in its environment and in its routes.

    `lines`: a file to read in the place of Kafka and a folder to write to, seen from the working directory. `keys`:
    warn of secrets that this machine does not have.
    """
    text = read_text(path)
    if isinstance(text, Problem):
        return [text]
    tree = read_tree(text, str(path))
    if not isinstance(tree, Tree):
        return tree
    overridden = applied(tree if lines is None else _without_kafka(tree, *lines), environ)
    if isinstance(overridden, list):
        return overridden
    config = read_part(overridden.tree, (), Config)
    accounts = _read_accounts(overridden.tree)
    files = route_files(overridden.tree, path.parent)
    types, type_problems = read_types(overridden.tree, path.parent)
    routes = read_routes(files.texts, types)
    parts = (config, accounts, files.problems, routes.problems, type_problems)
    problems = {problem for part in parts if isinstance(part, list) for problem in part}
    if isinstance(config, list) or isinstance(accounts, list):
        return sorted(problems)
    base = path.parent
    accounts = {lane: _rooted(account, base) for lane, account in accounts.items()}
    reader = SecretReader(base, environ, for_group=config.secret_files == "group")  # noqa: S105
    digest, version = digest_of(text, files.texts), routes_version(files.texts)
    mappings = read_mappings(overridden.tree, config, types, base)
    problems |= {*mappings.problems, *source_problems(overridden.tree, config)}
    sources = Sources(config, types, mappings.translators, base, reader)
    setup = Setup(
        config,
        accounts,
        routes.sound,
        overridden,
        reader,
        base,
        digest=digest,
        text=text,
        routes_version=version,
        sources=sources,
    )
    # Routes are seen beside their lanes even where they or others are wrong: all at once.
    problems |= {*check_setup(setup), *check_flawed(routes.flawed, lane_facts(setup), example_files(routes.flawed))}
    whole = not (files.problems or routes.problems)
    warnings = tuple(warnings_of(setup, environ, whole=whole, keys=keys))
    complete = replace(setup, warnings=warnings)
    if not problems:
        return complete
    showable = problems <= set(check_examples(setup.routes, lane_facts(setup), example_files(setup.routes.routes)))
    return Mistakes(sorted(problems), warnings, complete if showable else None)


def _without_kafka(tree: Tree, lines: str, out: str) -> Tree:
    """The configuration, with files in the place of its Kafka."""
    if not isinstance(tree.data, dict):
        return tree
    source = {"lines": lines if lines == "-" else str(Path(lines).absolute()), "out": str(Path(out).absolute())}
    rest = {key: value for key, value in tree.data.items() if key != "kafka"}
    return Tree(tree.file, {**rest, "source": source}, tree.lines)


def read_text(path: Path) -> str | Problem:
    """A file that people write; a problem when it cannot be read, or when anybody on the machine may change it."""
    try:
        if path.stat().st_mode & stat.S_IWOTH:
            return Problem(str(path), 1, "everybody on this machine may change this file", "chmod o-w")
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        return Problem(str(path), 1, "this is not a text in UTF-8")
    except OSError as error:
        return Problem(str(path), 1, f"cannot be read: {error.strerror}")


# --- provider accounts ------------------------------------------------------------------------------------------------


def _read_accounts(tree: Tree) -> dict[str, SinkConfig] | list[Problem]:
    """Each lane's provider by the provider's own model. What is no mapping is told by the configuration's model."""
    accounts: dict[str, SinkConfig] = {}
    problems: list[Problem] = []
    for lane, provider in _provider_parts(tree.data):
        path = ("lanes", lane, "provider")
        known = providers()
        kind = provider.get("type")
        if not isinstance(kind, str) or kind not in known:
            what = "the provider's type is missing" if kind is None else f'unknown provider "{kind}"'
            mend = nearest(str(kind), dict(known)) if kind else f"there are {', '.join(sorted(known))}"
            problems.append(Problem(tree.file, locate(tree, (*path, "type")), what, mend))
            continue
        part = read_part(tree, path, known[kind].config)
        if isinstance(part, list):
            problems += part
        else:
            accounts[lane] = part
    return problems or accounts


def _provider_parts(data: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    lanes = data.get("lanes") if isinstance(data, dict) else None
    for lane, part in lanes.items() if isinstance(lanes, dict) else ():
        provider = part.get("provider") if isinstance(part, dict) else None
        if isinstance(provider, dict):
            yield lane, provider


def _rooted(account: SinkConfig, base: Path) -> SinkConfig:
    """Files that an account names, such as a token store, start at the configuration's folder too."""
    rooted: dict[str, Any] = {
        name: str(base / value)
        for name, value in account
        if name.endswith("_file") and isinstance(value, str) and not isinstance(value, Strict)
    }
    return account.model_copy(update=rooted)


# --- route files ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RouteFiles:
    """The texts of all route files by name, and what kept others from being read."""

    texts: Mapping[str, str]
    problems: list[Problem]


def route_files(tree: Tree, base: Path) -> RouteFiles:
    """What the configuration's `routes` name."""
    names = _route_names(tree)
    texts: dict[str, str] = {}
    problems: list[Problem] = []
    for index, name in enumerate(names):
        files = list(_yaml_files(base / name))
        if not files:
            what = f'"{name}" is neither a route file nor a folder with any'
            problems.append(Problem(tree.file, locate(tree, ("routes", index)), what, "vestnik init writes some"))
        for file in files:
            text = read_text(file)
            if isinstance(text, Problem):
                problems.append(text)
            else:
                texts[str(file)] = text
    return RouteFiles(texts, problems)


def _route_names(tree: Tree) -> list[str]:
    named = tree.data.get("routes", "routes") if isinstance(tree.data, dict) else "routes"
    return [name for name in (named if isinstance(named, list) else [named]) if isinstance(name, str)]


Signature = tuple[tuple[str, int, int], ...]


def route_signature(setup: Setup) -> Signature:
    """Changes when a route file does: of each its name, when it was changed, and its size. Reads no contents."""
    found = []
    for name in _route_names(setup.overridden.tree):
        for file in _yaml_files(setup.base / name):
            with suppress(OSError):
                stood = file.stat()
                found.append((str(file), stood.st_mtime_ns, stood.st_size))
    return tuple(sorted(found))


def _yaml_files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    elif path.is_dir():
        found = (each for each in path.rglob("*") if each.suffix in (".yaml", ".yml") and each.is_file())
        # Kubernetes mounts a ConfigMap's files twice, once in a folder whose name begins with a dot.
        found = (each for each in found if not any(part.startswith(".") for part in each.relative_to(path).parts))
        # What is written beside examples may stand in the same folder.
        yield from sorted(each for each in found if not each.name.endswith(SNAPSHOT_SUFFIX))


def digest_of(text: str, routes: Mapping[str, str]) -> str:
    """Tells whether two processes run on the same configuration and routes."""
    return _hashed(hashlib.sha256(text.encode()), routes)


def routes_version(routes: Mapping[str, str]) -> str:
    """Tells whether two processes run on the same routes."""
    return _hashed(hashlib.sha256(), routes)


def _hashed(whole: "hashlib._Hash", routes: Mapping[str, str]) -> str:
    for name in sorted(routes):
        whole.update(Path(name).name.encode() + b"\0" + routes[name].encode() + b"\0")
    return whole.hexdigest()[:12]
