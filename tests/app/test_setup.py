"""The configuration read whole: every mistake with its file, its line and what would be right."""

from pathlib import Path

import pytest

from consumer.app.config import Config
from consumer.app.setup import Setup, load_setup
from consumer.app.wiring import lane_settings
from tests.app.support import CONFIG, ENVIRON, ROUTES, problems_of, setup_of, write

SECOND = """\
  second:
    provider:
      type: imshop
      url: https://push.example/send
      key: {env: IMSHOP_KEY}
"""


def changed(old: str, new: str, text: str = CONFIG) -> str:
    assert text.count(old) == 1, old
    return text.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("bootstrap:", "bootstarp:", 'vestnik.yaml:2: unknown key "bootstarp"; did you mean "bootstrap"?'),
        ("localhost:9092", "localhost", 'vestnik.yaml:2: "bootstrap": an address of a broker is'),
        ("mode: live", "mode: on", 'vestnik.yaml:13: "mode": not one of the possible values'),
        ("mode: live", "memory: 8", 'vestnik.yaml:13: "memory": a duration needs a unit'),
        ("mode: live", "memory: 1m", 'vestnik.yaml:13: "memory": input should be greater than or equal to 3600'),
        ("mode: live", "in_flight: 0", 'vestnik.yaml:13: "in_flight": input should be greater than or equal to 1'),
        ("mode: live", "quota: {requests: 1}", 'vestnik.yaml:13: the key "per" is missing'),
        ("mode: live", "mode: live\n    mode: live", 'vestnik.yaml:14: the key "mode" stands here twice'),
        ("type: imshop", "type: imshp", 'vestnik.yaml:10: unknown provider "imshp"; did you mean "imshop"?'),
        ("      type: imshop\n", "", "vestnik.yaml:9: the provider's type is missing"),
        ("https://push.example/send", "ftp://x", "vestnik.yaml:9: url must be"),
        ("{env: IMSHOP_KEY}", "hunter2", 'vestnik.yaml:12: "key": a secret is never written here'),
        ("{slug: ducky}", "{timezone: Mars}", 'vestnik.yaml:6: "timezone": not a time zone'),
        ("{slug: ducky}", "{locale: xx_XX_1}", 'vestnik.yaml:6: "locale": not a locale'),
        ("{slug: ducky}", "{currency: rub}", 'vestnik.yaml:6: "currency": not a currency'),
        ("{slug: ducky}", "{lanes: [app]}", 'vestnik.yaml:6: the shop "ducky" names an unknown lane "app"'),
        ("app-push:", "App_Push:", 'vestnik.yaml:8: "App_Push" cannot be the id of a lane'),
        ("[shop.orders, shop.bonuses]", "[a b]", 'vestnik.yaml:4: "sources": not a topic\'s name'),
        ("[shop.orders, shop.bonuses]", "[a, a]", 'vestnik.yaml:3: "topics": a source stands here twice'),
        ("[shop.orders, shop.bonuses]", "[vestnik.dead-letters]", "vestnik.yaml:3: \"topics\": dead_letters is also a"),
        ("[shop.orders, shop.bonuses]", "[vestnik.control]", 'vestnik.yaml:3: "topics": "vestnik.control" is a'),
        ("routes: routes", "routes: nowhere", 'vestnik.yaml:14: "nowhere" is neither a route file nor a folder'),
        ("kafka:\n  bootstrap: localhost:9092\n", "", "vestnik.yaml:1: records come from exactly one place"),
        ("localhost:9092", "localhost:9092\n  security: {ca: x}", 'vestnik.yaml:3: "security": a ca is of no use'),
        ("mode: live", "backlog: {shares: {shop.order: 0.5}}", 'vestnik.yaml:13: "shop.order" is not one of'),
        ("mode: live", "backlog: {shares: {shop.orders: 0.7, shop.bonuses: 0.7}}", "vestnik.yaml:13: the shares are"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_line(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    found = problems_of(tmp_path, changed(old, new))
    assert [each for each in found if each.startswith(sentence)], found
    assert "hunter2" not in str(found)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            "lane: app-push",
            "lane: app-psh",
            'routes/orders.yaml:3: route order-paid: there is no lane "app-psh"; did you',
        ),
        (
            "ttl: 3h",
            "ttl: 9d",
            "routes/orders.yaml:4: route order-paid: ttl is longer than the memory of lane app-push",
        ),
        ("on: order.paid", "on: order.payd", 'routes/orders.yaml:2: route order-paid: unknown event "order.payd"'),
        ("ttl: 3h", "tll: 3h", 'routes/orders.yaml:4: unknown key "tll"; did you mean "ttl"?'),
    ],
)
def test_a_mistake_in_a_route_is_told_with_its_line(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    found = problems_of(tmp_path, routes=changed(old, new, ROUTES))
    assert [each for each in found if each.startswith(sentence)], found


def test_five_planted_mistakes_are_all_named(catalogue: Path) -> None:
    """In the configuration and in the routes of the catalogue, in one go."""
    config = (catalogue / "vestnik.yaml").read_text()
    (catalogue / "vestnik.yaml").write_text(config.replace("timezone: Europe/Moscow", "timezone: Europe/Moskow"))
    orders = catalogue / "routes" / "customer_orders.yaml"
    text = orders.read_text()
    text = text.replace("ttl: 3h", "ttl: 180", 1)
    text = text.replace("priority: normal", "priority: nomral", 1)
    text = text.replace("| money", "| mony", 1)
    orders.write_text(text)
    staff = catalogue / "routes" / "staff.yaml"
    staff.write_text(staff.read_text().replace("on: order.cancelled", "on: order.canceled", 1))
    found = [str(problem) for problem in _problems(catalogue / "vestnik.yaml")]
    for words in ("time zone", "duration needs a unit", '"priority"', "order.canceled"):
        assert [each for each in found if words in each], found
    fixed = text.replace("ttl: 180", "ttl: 3h").replace("nomral", "normal")
    orders.write_text(fixed)
    assert [each for each in map(str, _problems(catalogue / "vestnik.yaml")) if '"mony"' in each]


def _problems(path: Path) -> list[object]:
    found = load_setup(path, {})
    assert not isinstance(found, Setup)
    return list(found)


def test_two_lanes_on_one_account_are_refused(tmp_path: Path) -> None:
    config = CONFIG.replace("routes: routes", SECOND + "routes: routes")
    (sentence,) = problems_of(tmp_path, config)
    assert sentence.startswith('vestnik.yaml:15: the lanes "app-push" and "second" share one account of imshop')


def test_the_same_key_in_another_place_is_the_same_account(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(ENVIRON["IMSHOP_KEY"])
    (tmp_path / "key").chmod(0o600)
    config = CONFIG.replace("routes: routes", SECOND.replace("{env: IMSHOP_KEY}", "{file: key}") + "routes: routes")
    found = problems_of(tmp_path, config)
    assert "share one account" in found[0]
    assert ENVIRON["IMSHOP_KEY"] not in str(found)


def test_another_address_is_another_account(tmp_path: Path) -> None:
    config = CONFIG.replace("routes: routes", SECOND.replace("/send", "/other") + "routes: routes")
    assert list(setup_of(tmp_path, config).config.lanes) == ["app-push", "second"]


def test_an_account_without_an_address_is_nobodys_rival(tmp_path: Path) -> None:
    console = "  {}:\n    provider: {{type: console}}\n"
    config = CONFIG.replace("routes: routes", console.format("a") + console.format("b") + "routes: routes")
    assert len(setup_of(tmp_path, config).accounts) == 3


def test_a_recipient_may_look_like_a_number(tmp_path: Path) -> None:
    config = changed("mode: live", "mode: allow_list\n    allow_list: [17, +79161234567]")
    assert setup_of(tmp_path, config).config.lanes["app-push"].allow_list == ["17", "+79161234567"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", 'the key "topics" is missing'),
        ("- a", "a mapping is expected here"),
        ("lanes: [a]", '"lanes": a mapping is expected here'),
        ("lanes: {a: b}", '"a": a mapping is expected here'),
        ("a: [", "not YAML"),
    ],
)
def test_what_is_hardly_a_configuration_is_told_too(tmp_path: Path, text: str, sentence: str) -> None:
    assert [each for each in problems_of(tmp_path, text) if sentence in each]


def test_a_configuration_that_is_not_there_is_told(tmp_path: Path) -> None:
    (problem,) = _problems(tmp_path / "vestnik.yaml")
    assert str(problem).endswith("vestnik.yaml:1: cannot be read: No such file or directory")


def test_a_file_that_everybody_may_change_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path)
    path.chmod(0o666)
    assert "everybody on this machine may change" in str(_problems(path))
    path.chmod(0o644)
    (tmp_path / "routes" / "orders.yaml").chmod(0o666)
    assert "orders.yaml:1: everybody" in str(_problems(path)[0])


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    path = write(tmp_path)
    path.write_bytes(b"\xff\xff")
    assert "not a text in UTF-8" in str(_problems(path)[0])


def test_routes_may_be_several_files_and_folders(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "x.yml").write_text(ROUTES.replace("id: order-paid", "id: another"))
    config = changed("routes: routes", "routes: [routes/orders.yaml, more]")
    assert [each.route.id for each in setup_of(tmp_path, config).routes.routes] == ["another", "order-paid"]


# --- the environment --------------------------------------------------------------------------------------------------


def loaded(folder: Path, config: str = CONFIG, **environ: str) -> Setup | list[object]:
    found = load_setup(write(folder, config), {**ENVIRON, **environ})
    return found if isinstance(found, Setup) else list(found)


def config_of(folder: Path, **environ: str) -> Config:
    found = loaded(folder, **environ)
    assert isinstance(found, Setup), found
    return found.config


def test_the_environment_stands_above_the_file(tmp_path: Path) -> None:
    config = config_of(
        tmp_path,
        VESTNIK_KAFKA_BOOTSTRAP="a:1,b:2",
        VESTNIK_ADMIN_HOST="0.0.0.0",
        VESTNIK_ADMIN_PORT="9999",
        VESTNIK_LOG_LEVEL="debug",
        VESTNIK_LOG_FORMAT="console",
    )
    assert config.kafka is not None
    assert config.kafka.servers == "a:1,b:2"
    assert (config.admin.host, config.admin.port) == ("0.0.0.0", 9999)
    assert (config.logs.level, config.logs.format) == ("debug", "console")


def test_a_bad_value_in_the_environment_names_the_variable(tmp_path: Path) -> None:
    found = loaded(tmp_path, VESTNIK_ADMIN_PORT="many", VESTNIK_LOG_LEVEL="loud")
    assert isinstance(found, list)
    assert [str(each).split(":")[2].strip() for each in found] == ['"VESTNIK_ADMIN_PORT"', '"VESTNIK_LOG_LEVEL"']


def test_a_broker_in_the_environment_does_not_disturb_files(tmp_path: Path) -> None:
    text = changed("kafka:\n  bootstrap: localhost:9092", "source: {lines: events.jsonl}")
    found = loaded(tmp_path, text, VESTNIK_KAFKA_BOOTSTRAP="a:1")
    assert isinstance(found, Setup)
    assert found.config.kafka is None


def test_files_may_take_the_place_of_kafka_at_the_start(tmp_path: Path) -> None:
    found = load_setup(write(tmp_path), ENVIRON, ("-", "out"))
    assert isinstance(found, Setup)
    assert found.config.source is not None
    assert found.config.source.lines == "-"


def test_standard_input_is_for_one_lane_alone(tmp_path: Path) -> None:
    other = SECOND.replace("/send", "/other")
    path = write(tmp_path, CONFIG.replace("routes: routes", other + "routes: routes"))
    found = load_setup(path, ENVIRON, ("-", "out"))
    assert "standard input can be read by one lane alone" in str(found)


# --- warnings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("mode: live", "mode: allow_list", "allow_list is empty"),
        ("mode: live", "quota: {requests: 100, per: 1s}", "quota is larger than what imshop is known to allow"),
        ("{env: IMSHOP_KEY}", "{env: NOTHING}", "environment variable NOTHING is not set"),
        ("lane: app-push", "enabled: false\n  lane: app-push", "no route leads to it"),
        (
            "localhost:9092",
            "localhost:9092\n  security: {sasl: {mechanism: PLAIN, user: u, password: {env: IMSHOP_KEY}}}",
            "SASL without tls",
        ),
    ],
)
def test_what_is_not_wrong_enough_is_a_warning(tmp_path: Path, old: str, new: str, words: str) -> None:
    config, routes = CONFIG.replace(old, new), ROUTES.replace(old, new)
    assert [each for each in setup_of(tmp_path, config, routes).warnings if words in each]


def test_a_variable_that_does_nothing_is_a_warning(tmp_path: Path) -> None:
    found = loaded(tmp_path, VESTNIK_ADMIN_PROT="1", VESTNIK_SERVICE_HOST="10.0.0.1", VESTNIK_PORT="tcp://10.0.0.1:1")
    assert isinstance(found, Setup)
    assert found.warnings[-1] == "environment variable VESTNIK_ADMIN_PROT does nothing"
    assert len(found.warnings) == 2


def test_a_good_configuration_is_only_asked_for_examples(tmp_path: Path) -> None:
    (warning,) = setup_of(tmp_path).warnings
    assert "routes/orders.yaml:1: route order-paid: no examples" in warning


def test_the_digest_tells_configurations_apart(tmp_path: Path) -> None:
    one, same = setup_of(tmp_path / "a"), setup_of(tmp_path / "b")
    other = setup_of(tmp_path / "c", routes=ROUTES.replace("Thank you", "Thanks"))
    assert one.digest == same.digest != other.digest


def test_lost_offsets_can_be_decided_for_one_run(tmp_path: Path) -> None:
    setup = setup_of(tmp_path)
    assert lane_settings(setup, "app-push", "me").lost_offsets == "refuse"
    assert lane_settings(setup.after_lost_offsets("earliest"), "app-push", "me").lost_offsets == "earliest"
