"""What the tests of whole processes share: a configuration with one lane, `mass`, to a fake OneSignal."""

from pathlib import Path

TOPICS = ("shop.orders", "vestnik.control", "vestnik.dead-letters", "vestnik.journal.mass")
ENVIRON = {"KEY": "k"}
_CONFIG = """
kafka: {{bootstrap: "{bootstrap}"}}
topics: {{sources: [shop.orders]}}
shops: {{ducky: {{}}}}
lanes:
  mass:
    provider: {{type: onesignal, app_id: a, subscribers: 10, url: "{url}", key: {{env: KEY}}, timeout: 5s}}
    mode: live
    start_at: earliest
    backfill: {backfill}
routes: routes
admin: {{port: 0}}
logs: {{level: debug}}
"""


def write_config(folder: Path, bootstrap: str, url: str, *, backfill: bool = False) -> Path:
    """The configuration's file; its routes are the folder `routes` beside it."""
    path = folder / "vestnik.yaml"
    path.write_text(_CONFIG.format(bootstrap=bootstrap, url=url, backfill=str(backfill).lower()), "utf-8")
    return path
