"""`vestnik auth`: the first exchange with a provider whose accounts are authorised by a person."""

import asyncio
from collections.abc import Mapping
from typing import Any

from consumer.app.setup import Setup
from consumer.app.wiring import surroundings
from consumer.core.model import Blocked, Deferred
from consumer.sinks.bitrix24 import Bitrix24Config, application_of, store_of
from consumer.sinks.http import Http, Reach, origin_of, reach_to
from consumer.sinks.oauth import REFRESH_SECONDS, Desk, exchange

# A lane holds the store for the time of one refresh.
BUSY_TRIES = 15


class Said:
    """How an exchange ended, in words without a secret."""

    def __init__(self, words: str, *, kept: bool = False) -> None:
        self.words = words
        self.kept = kept


def account_of(setup: Setup, lane: str) -> Bitrix24Config | str:
    """The lane's portal, or why there is none."""
    account = setup.accounts.get(lane)
    if account is None:
        return f'unknown lane "{lane}"; there are {", ".join(sorted(setup.accounts))}'
    return account if isinstance(account, Bitrix24Config) else f'the lane "{lane}" is {account.type}, not bitrix24'


async def authorise(setup: Setup, lane: str, account: Bitrix24Config, code: str, *, replace: bool = False) -> Said:
    """Room for the pair first, then the code, which is good once, then the pair where the lane looks for it. `replace`:
    also over one that cannot be opened."""
    store = store_of(account, surroundings(setup, lambda _: None, lane), replace=replace)
    http = Http(reach_to(Reach(REFRESH_SECONDS), account.oauth_url))
    try:
        pen = await store.hold()
        for _ in range(BUSY_TRIES):
            if not isinstance(pen, Deferred):
                break
            await asyncio.sleep(pen.after_seconds or 0.0)
            pen = await store.hold()
        if isinstance(pen, (Blocked, Deferred)):
            return Said(_reason(pen))
        try:
            desk = Desk(http, setup.read_secret, lambda _: None, lane)
            document = await exchange(application_of(account), code, desk)
            if isinstance(document, (Blocked, Deferred)):
                return Said(_reason(document))
            if not await pen.write(document):
                return Said(f"{store.where} does not take the pair; make room for it and authorise again")
        finally:
            await pen.release()
    finally:
        await http.close()
    return Said("\n".join([f"The pair is in {store.where}.", *warnings(account, document)]), kept=True)


def warnings(account: Bitrix24Config, document: Mapping[str, Any]) -> list[str]:
    """What the reply shows already, before anybody is told anything."""
    found = []
    scopes = document.get("scope")
    if isinstance(scopes, str) and "pull" not in scopes.replace(" ", ",").split(","):
        found.append("Warning: the application has no scope `pull`; the portal will refuse its pushes.")
    endpoint, portal = origin_of(str(document.get("client_endpoint", ""))), origin_of(account.portal)
    if endpoint is not None and portal is not None and endpoint.host != portal.host:
        found.append(f"Warning: the pair is for {endpoint.host}, and the lane calls {portal.host}.")
    return found


def _reason(trouble: Blocked | Deferred) -> str:
    detail = trouble.detail if isinstance(trouble, Blocked) else "try again"
    return f"{trouble.reason}: {detail}" if detail else trouble.reason
