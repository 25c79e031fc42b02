"""The routes, texts and sample events that a shop starts from; `vestnik init` copies them into its own folder."""

from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable

_SUFFIXES = (".yaml", ".json", ".md")


def catalogue_files() -> Mapping[str, str]:
    """The texts of the catalogue by their paths in the shop's folder, "routes/staff.yaml" for one, in order of path."""
    return dict(sorted(_texts(files(__name__))))


def _texts(folder: Traversable, above: str = "") -> Iterator[tuple[str, str]]:
    for entry in folder.iterdir():
        path = above + entry.name
        if entry.is_dir():
            yield from _texts(entry, f"{path}/")
        elif path.endswith(_SUFFIXES):
            yield path, entry.read_text(encoding="utf-8")
