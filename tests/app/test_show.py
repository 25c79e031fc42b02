"""The configuration told back, and its schema."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from consumer.app.beginning import write_beginning
from consumer.app.route_schema import routes_schema
from consumer.app.setup import Setup, load_setup
from consumer.app.show import config_schema, settings_of
from consumer.catalogue import catalogue_files
from consumer.core.document import Tree, read_tree
from consumer.core.routes import RouteSet, load_routes
from schemas.events import EVENT_TYPES
from tests.app.support import CONFIG, ENVIRON, ROUTES, setup_of, write

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


def route_errors(text: str) -> list[str]:
    validator = jsonschema.Draft202012Validator(routes_schema(EVENT_TYPES, ["app-push", "staff"]))
    tree = read_tree(text, "a.yaml")
    assert isinstance(tree, Tree)
    return [error.message for error in validator.iter_errors(tree.data)]


def test_the_schema_of_routes_is_one() -> None:
    schema = routes_schema(EVENT_TYPES)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["type"] == "array"


@pytest.mark.parametrize("path", [path for path in catalogue_files() if path.startswith("routes/")])
def test_the_schema_of_routes_accepts_the_catalogue(path: str) -> None:
    assert route_errors(catalogue_files()[path]) == []


@pytest.mark.parametrize(
    ("old", "new"), [("on: order.paid", "on: order.payed"), ("ttl: 3h", "tll: 3h"), ("text:", "txet:")]
)
def test_the_schema_of_routes_refuses_what_check_refuses(old: str, new: str) -> None:
    assert route_errors(ROUTES) == []
    assert route_errors(ROUTES.replace(old, new))


def test_an_editor_offers_the_fields_of_the_event() -> None:
    schema = routes_schema(EVENT_TYPES, ["app-push", "staff"])
    route = schema["$defs"]["Route"]
    assert route["properties"]["lane"]["anyOf"][1]["enum"] == ["app-push", "staff"]
    offers = {
        name: each["then"]["properties"]
        for each in route["allOf"]
        for name in each["if"]["properties"]["on"]["anyOf"][0]["enum"]
    }
    assert set(offers) == set(EVENT_TYPES)
    paid = offers["order.paid"]
    assert "event.customer.consents.push" in paid["when"]["anyOf"][1]["enum"]
    assert "event.order.responsible_user_ids" in paid["to"]["anyOf"][1]["enum"]
    assert "event.order.id" in paid["thread"]["anyOf"][1]["enum"]
    wording = schema["$defs"][paid["wordings"]["then"]["items"]["$ref"].rpartition("/")[2]]
    texts = wording["properties"]["text"]["anyOf"][1]["enum"]
    assert {"{{ order.total | money }}", "{{ order.delivery.storage_until | day }}", "{{ lane.slug }}"} < set(texts)
    assert not any("bonus." in text or "payment.paid" in text for text in texts)


def test_every_field_that_an_editor_offers_is_right() -> None:
    """What is offered for a text is put into a route and loaded."""
    schema = routes_schema(EVENT_TYPES)
    for each in schema["$defs"]["Route"]["allOf"]:
        reference = each["then"]["properties"]["wordings"]["then"]["items"]["$ref"].rpartition("/")[2]
        types = each["if"]["properties"]["on"]["anyOf"][0]["enum"]
        offered = schema["$defs"][reference]["properties"]["text"]["anyOf"][1]["enum"]
        texts = (
            json.dumps([{"text": text} for text in offered[:8]]),
            json.dumps([{"text": text} for text in offered[-8:]]),
        )
        for wordings in texts:
            route = f"- {{id: r, on: {json.dumps(types)}, lane: a, ttl: 1h, wordings: {{en: {wordings}}}}}"
            problems = load_routes({"a.yaml": route})
            assert isinstance(problems, RouteSet) or all("plural has" in str(one) for one in problems), problems


def test_init_puts_the_schemas_beside_the_files_and_names_them(tmp_path: Path) -> None:
    write_beginning(tmp_path, catalogue_files())
    for path in (tmp_path / "vestnik.yaml", *(tmp_path / "routes").glob("*.yaml")):
        first = path.read_text().splitlines()[0]
        assert first.startswith("# yaml-language-server: $schema=")
        schema = json.loads((path.parent / first.rpartition("=")[2]).read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
