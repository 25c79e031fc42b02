"""The configuration told back, and its schema."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from consumer.app.setup import Setup, load_setup
from consumer.app.show import config_schema, routes_schema, settings_of
from tests.app.support import CONFIG, ENVIRON, setup_of, write

SASL = "localhost:9092\n  security: {tls: true, sasl: {user: u, password: {env: IMSHOP_KEY}}}"


def shown(folder: Path, **environ: str) -> dict[str, tuple[str, str]]:
    path = write(folder, CONFIG.replace("mode: live", "allow_list: [79161234567]").replace("localhost:9092", SASL))
    found = load_setup(path, {**ENVIRON, **environ})
    assert isinstance(found, Setup)
    return {each.name: (each.value, each.origin.removeprefix(f"{folder}/")) for each in settings_of(found)}


def test_each_value_tells_where_it_came_from(tmp_path: Path) -> None:
    values = shown(tmp_path, VESTNIK_ADMIN_PORT="9999")
    assert values["kafka.bootstrap"] == ("localhost:9092", "vestnik.yaml:2")
    assert values["admin.port"] == ("9999", "environment VESTNIK_ADMIN_PORT")
    assert values["lanes.app-push.memory"] == ("8d", "default")
    assert values["lanes.app-push.backlog.bytes"] == ("128MiB", "default")
    assert values["lanes.app-push.provider.timeout"] == ("30s", "default")
    assert values["topics.sources"] == ('["shop.orders", "shop.bonuses"]', "vestnik.yaml:5")


def test_secrets_are_stars_and_recipients_are_masked(tmp_path: Path) -> None:
    values = shown(tmp_path)
    assert values["lanes.app-push.provider.key"][0] == "******** from environment variable IMSHOP_KEY"
    assert values["kafka.security.sasl.password"][0].startswith("********")
    assert values["lanes.app-push.allow_list"][0] == '["**67"]'
    assert ENVIRON["IMSHOP_KEY"] not in str(values)


def test_nothing_of_a_setup_prints_a_secret(tmp_path: Path) -> None:
    setup = setup_of(tmp_path)
    assert ENVIRON["IMSHOP_KEY"] not in repr(setup.config) + repr(setup.accounts)


def test_the_schema_accepts_what_init_writes(catalogue: Path) -> None:
    validator = jsonschema.Draft202012Validator(config_schema())
    assert list(validator.iter_errors(yaml.safe_load((catalogue / "vestnik.yaml").read_text()))) == []


@pytest.mark.parametrize(
    ("old", "new"), [("bootstrap:", "bootstarp:"), ("type: imshop", "type: fax"), ("mode: live", "memory: 8")]
)
def test_the_schema_refuses_what_check_refuses(old: str, new: str) -> None:
    validator = jsonschema.Draft202012Validator(config_schema())
    assert list(validator.iter_errors(yaml.safe_load(CONFIG.replace(old, new))))


def test_the_schema_has_defaults_as_people_write_them() -> None:
    properties = config_schema()["$defs"]["LaneConfig"]["properties"]
    assert properties["memory"]["default"] == "8d"
    assert properties["event_limit"]["default"] == "256KiB"
    assert "86400" not in json.dumps(config_schema())


def test_the_schema_of_routes_is_of_a_list() -> None:
    schema = routes_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["type"] == "array"
