"""What the tests of the app share: a small configuration, one sample of each fact, a clock that is set by hand."""

import dataclasses
import types
import typing
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from consumer.app.setup import Setup, load_setup
from consumer.core import facts
from consumer.core.document import Problem
from consumer.core.model import Message, TopicPartition

PHONE = "79161234567"

CONFIG = """\
kafka:
  bootstrap: localhost:9092
topics:
  sources: [shop.orders, shop.bonuses]
shops:
  ducky: {slug: ducky}
lanes:
  app-push:
    provider:
      type: imshop
      url: https://push.example/send
      key: {env: IMSHOP_KEY}
    mode: live
routes: routes
"""

ROUTES = """\
- id: order-paid
  on: order.paid
  lane: app-push
  ttl: 3h
  wordings:
    - title: "Order {{ order.id }} is paid"
      text: "Thank you"
    - title: "Your order is paid"
      text: "Thank you"
"""

ENVIRON = {"IMSHOP_KEY": "canary-of-imshop"}


class Hand:
    """A clock that stands still until it is moved."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def write(folder: Path, config: str = CONFIG, routes: str = ROUTES) -> Path:
    """A configuration with its routes in a folder; the path of the configuration."""
    (folder / "routes").mkdir(parents=True, exist_ok=True)
    (folder / "routes" / "orders.yaml").write_text(routes, "utf-8")
    path = folder / "vestnik.yaml"
    path.write_text(config, "utf-8")
    return path


def local(url: str, timeout: str = "5s", **lane: Any) -> dict[str, Any]:
    """A configuration whose one lane sends to an IMSHOP at this address; `lane` says more of the lane."""
    provider = {"type": "imshop", "url": url, "key": {"env": "IMSHOP_KEY"}, "timeout": timeout}
    return {
        "kafka": {"bootstrap": "localhost:9092"},
        "topics": {"sources": ["shop.orders"]},
        "shops": {"ducky": {"slug": "ducky"}},
        "lanes": {"app-push": {"provider": provider, "mode": "live", "start_at": "earliest", **lane}},
        "routes": "routes",
    }


def setup_of(
    folder: Path, config: str = CONFIG, routes: str = ROUTES, environ: Mapping[str, str] | None = None
) -> Setup:
    found = load_setup(write(folder, config, routes), environ or ENVIRON)
    assert isinstance(found, Setup), [str(problem) for problem in found]
    return found


def edit(file: Path, old: str, new: str) -> None:
    """Change the first place in a file that reads like this."""
    text = file.read_text("utf-8")
    assert old in text, f"{file} has no {old}"
    file.write_text(text.replace(old, new, 1), "utf-8")


def problems_of(folder: Path, config: str = CONFIG, routes: str = ROUTES) -> list[str]:
    """The sentences of all mistakes, with the folder's name cut off."""
    found = load_setup(write(folder, config, routes), ENVIRON)
    assert not isinstance(found, Setup)
    assert all(isinstance(problem, Problem) for problem in found)
    return [str(problem).removeprefix(f"{folder}/") for problem in found]


def fact_kinds() -> list[type[facts.Fact]]:
    """Every kind of fact that there is."""
    found = [kind for kind in vars(facts).values() if isinstance(kind, type) and issubclass(kind, facts.LaneFact)]
    return sorted({kind for kind in found if kind is not facts.LaneFact}, key=lambda kind: kind.__name__)


def sample(kind: type[facts.Fact], **given: Any) -> facts.Fact:
    """A fact with something in every field."""
    hints = typing.get_type_hints(kind)
    fields = {field.name: _value(hints[field.name], field.name) for field in dataclasses.fields(kind)}
    return kind(**{**fields, "lane": "app-push", **given})


def _value(hint: Any, name: str) -> Any:
    values: dict[Any, Any] = {str: name, int: 3, float: 1.5, bool: True, Message: Message("Title", "Text", "x://y")}
    if hint in values:
        return values[hint]
    if isinstance(hint, type) and issubclass(hint, Enum):
        return next(iter(hint))
    if isinstance(hint, types.UnionType):
        return _value(typing.get_args(hint)[0], name)
    inner = typing.get_args(hint)[0]
    if inner is str:
        return (PHONE, "79169999999")
    return (TopicPartition("shop.orders", 0),) if inner is TopicPartition else (_value(inner, name),)
