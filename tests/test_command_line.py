"""docs/command-line.md has every command, every option and every exit code that means more than usual."""

import re

from scripts.command_line import CODE, command_line
from tests.test_docs import Word
from tests.test_docs import command_line as words


def leaves(word: Word, name: str = "vestnik") -> dict[str, frozenset[str]]:
    """Each command with its options."""
    if not word.below:
        return {name: word.options}
    found: dict[str, frozenset[str]] = {}
    for below, each in word.below.items():
        found |= leaves(each, f"{name} {below}")
    return found


def test_every_command_has_a_section_with_all_its_options() -> None:
    sections = dict(re.findall(r"^## (vestnik [^\n]+)\n(.*?)(?=^## |\Z)", command_line(), re.MULTILINE | re.DOTALL))
    commands = leaves(words())
    assert sections.keys() == commands.keys()
    for name, options in commands.items():
        shown = set(re.findall(r"`(--?[a-z][a-z-]*)", sections[name]))
        assert options - {"--help"} <= shown, name


def test_exit_codes_are_read_out_of_docstrings() -> None:
    assert CODE.findall("Is it alive? 0: yes; 1: no, and why.") == [("0", "yes"), ("1", "no, and why")]
    assert CODE.findall("It stands. 1: no answer.") == [("1", "no answer")]
    assert CODE.findall("Until 12:30 or 3.0: never") == []
    assert "Ends with **0**: nothing failed; **1**: something did; **3**: something could not be looked at." in (
        command_line()
    )


def test_the_index_leads_to_the_sections() -> None:
    page = command_line()
    for anchor in re.findall(r"\]\(#([a-z0-9-]+)\)", page):
        assert re.search(rf"^## {anchor.replace('-', '[ -]')}$", page, re.MULTILINE), anchor
