"""What `vestnik init` writes: a first configuration that tells nobody by accident, and the catalogue of routes."""

import json
from collections.abc import Mapping
from pathlib import Path

from consumer.app.route_schema import routes_schema
from consumer.app.show import config_schema
from schemas.events import EVENT_TYPES

# Editors that know yaml-language-server then offer keys, events and fields while one writes.
EDITOR = "# yaml-language-server: $schema={path}\n"

CONFIGURATION = """\
# Every key: docs/reference/configuration.md, or `vestnik config schema`. `vestnik check` finds every mistake.
kafka:
  bootstrap: localhost:9092            # host:port of your brokers
topics:
  sources: [shop.orders, shop.bonuses] # where the shop publishes its events
shops:
  my-shop:                             # as `shop` in the events says
    slug: myshop                       # links begin with myshop://
    timezone: Europe/Moscow
    locale: ru
    # quiet_hours: {from: "22:00", to: "09:00", policy: hold} # in each customer's zone; orders go out at night too
lanes:                                 # one for each provider account; an id never changes
  app-push:
    provider:
      type: imshop
      url: https://imshop.example/push # the address that IMSHOP's manager gave you
      key: {file: secrets/imshop.key}  # a file with the key alone; chmod 600
    mode: allow_list                   # only those below are told; `live` tells everybody
    allow_list: ["+7 999 000-00-00"]
    # caps: [{messages: 3, per: 7d}]   # how much marketing one person is told
  staff:
    provider:
      type: bitrix24
      portal: https://example.bitrix24.ru
      token_file: secrets/bitrix24.tokens
      client_id: local.example
      client_secret: {file: secrets/bitrix24.secret}
    mode: allow_list
    allow_list: ["1"]
routes: routes
# privacy: {hash_key: {file: secrets/hash.key}} # then nobody is told whom `vestnik suppress add` names
"""

NEXT = """\
Next, for whoever writes the texts; nobody is told anything:
  cd {folder}
  vestnik preview         # what people would read
  vestnik check           # every mistake at once
  vestnik event list      # the events, and who is told of them
Then, for whoever runs it:
  1. Put your brokers, addresses and recipients into {folder}/vestnik.yaml, and the keys into {folder}/secrets.
  2. vestnik topics create   # or: vestnik topics check --print
  3. vestnik run             # only those on allow_list are told; then mode: live
"""


def beginning_files(catalogue: Mapping[str, str]) -> dict[str, str]:
    """Every file by its path: the configuration, the catalogue, and schemas for editors."""
    schemas = {"vestnik": config_schema(), "routes": routes_schema(EVENT_TYPES)}
    texts = {f"editor/{name}.schema.json": json.dumps(each, ensure_ascii=False) for name, each in schemas.items()}
    routes = {
        path: EDITOR.format(path="../editor/routes.schema.json") + text if _is_routes(path) else text
        for path, text in catalogue.items()
    }
    return {"vestnik.yaml": EDITOR.format(path="editor/vestnik.schema.json") + CONFIGURATION, **routes, **texts}


def _is_routes(path: str) -> bool:
    return path.startswith("routes/") and path.endswith(".yaml")


def write_beginning(folder: Path, catalogue: Mapping[str, str]) -> list[Path] | str:
    """Write everything that is not there yet; in words, why nothing was written. Nothing is ever overwritten."""
    files = beginning_files(catalogue)
    standing = [name for name in files if (folder / name).exists()]
    if standing:
        return f"{folder / standing[0]} is there already; nothing was written"
    written = []
    try:
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
            written.append(path)
        (folder / "secrets").mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        return f"{folder} cannot be written: {error.strerror}"
    return written
