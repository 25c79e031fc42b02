"""Every event has a page for those who publish it, and the page is fresh."""

from schemas.events import EVENT_TYPES
from schemas.meanings import MEANINGS
from scripts.event_pages import FOLDER, documents


def test_the_pages_are_fresh() -> None:
    """`make references` writes them."""
    assert {path.name: path.read_text("utf-8") for path in FOLDER.glob("*.md")} == documents()


def test_every_event_says_when_it_is_published() -> None:
    assert set(MEANINGS) == set(EVENT_TYPES)
