"""A secret's place, never its value."""

import pytest

from consumer.core.document import Strict, read_document
from consumer.core.secrets import SecretRef


class Account(Strict):
    key: SecretRef


@pytest.mark.parametrize(
    ("ref", "where"),
    [(SecretRef(file="/run/key"), "file /run/key"), (SecretRef(env="KEY"), "environment variable KEY")],
)
def test_a_reference_prints_where_the_secret_lies(ref: SecretRef, where: str) -> None:
    assert ref.where == where
    assert repr(ref) == str(ref) == f"SecretRef({where})"


@pytest.mark.parametrize("text", ["key: {}", "key: {file: a, env: B}", "key: {file: ''}", "key: hunter2", "key: 4711"])
def test_anything_but_one_place_is_a_problem_that_never_repeats_the_value(text: str) -> None:
    problems = read_document(text, "v.yaml", Account)
    assert isinstance(problems, list)
    assert {problem.line for problem in problems} == {1}
    assert "hunter2" not in str(problems)
    assert "4711" not in str(problems)


def test_a_reference_is_read() -> None:
    account = read_document("key: {env: KEY}", "v.yaml", Account)
    assert isinstance(account, Account)
    assert account.key.env == "KEY"
