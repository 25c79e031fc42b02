"""The mappings that Vestnik brings make events of samples in the shapes that those systems publish."""

from pathlib import Path

import pytest

from consumer.app.sources import shipped_mappings
from consumer.core.event_types import SHIPPED
from consumer.core.mapping_check import LoadedMapping, MappingText, examples_of, read_mapping

FOLDER = Path(__file__).resolve().parents[2] / "consumer" / "catalogue" / "mappings"


def read(name: str) -> LoadedMapping:
    path = FOLDER / f"{name}.yaml"
    text = path.read_text("utf-8")
    examples = {each: (FOLDER / each).read_bytes() for each in examples_of(text)}
    loaded = read_mapping(MappingText(str(path), text, examples), SHIPPED)
    assert isinstance(loaded, LoadedMapping), "\n".join(map(str, loaded))
    return loaded


def test_four_systems_are_known() -> None:
    assert shipped_mappings() == ["bitrix", "commercetools", "saleor", "shopify"]


@pytest.mark.parametrize("name", ["bitrix", "commercetools", "saleor", "shopify"])
def test_each_mapping_keeps_what_its_examples_say_and_names_its_source(name: str) -> None:
    mapping = read(name).mapping
    assert "https://" in mapping.about
    told = [example for example in mapping.examples if example.expect != "ignored"]
    assert told


def test_every_sample_is_somebodys_example() -> None:
    named = {example.event for name in shipped_mappings() for example in read(name).mapping.examples}
    assert named == {f"examples/{path.name}" for path in (FOLDER / "examples").iterdir()}
