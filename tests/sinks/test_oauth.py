"""The token of a Bitrix24 account: refreshed once, kept first, and never asked for in vain."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from consumer.core.facts import Fact, TokenKept, TokenRefreshed
from consumer.core.model import Blocked, Deferred
from consumer.core.secrets import SecretRef
from consumer.demo.fakes import Bitrix24Fake, write_tokens
from consumer.sinks.http import Http, Lost, NotSent, Reach, Reply, reach_to
from consumer.sinks.oauth import Application, Clocks, Desk, TokenGuard, judge_refresh
from consumer.sinks.tokens import FileStore, TokenFile, TokenPen, Tokens, read_tokens
from tests.sinks.support import reply


@dataclass
class World:
    """A fake portal, a token file, and clocks that stand until a test moves them."""

    fake: Bitrix24Fake
    path: Path
    facts: list[Fact] = field(default_factory=list)
    now: float = 1000.0
    wall: float = 0.0
    secret: str = "client-secret"
    guards: list[TokenGuard] = field(default_factory=list)

    def guard(self, total_seconds: float = 5.0) -> TokenGuard:
        http = Http(reach_to(Reach(total_seconds), self.fake.oauth_url))
        clocks = Clocks(steady=lambda: self.now, wall=lambda: self.wall)
        desk = Desk(http, lambda ref: self.secret, self.facts.append, "staff", clocks)
        application = Application(self.fake.oauth_url, "local.app", SecretRef(env="B24"))
        guard = TokenGuard(application, FileStore(self.path), desk)
        self.guards.append(guard)
        return guard

    @property
    def results(self) -> list[str]:
        return [fact.result for fact in self.facts if isinstance(fact, TokenRefreshed)]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with Bitrix24Fake() as fake:
        path = tmp_path / "tokens.json"
        write_tokens(path, fake)
        world = World(fake, path)
        yield world
        for guard in world.guards:
            await guard.close()


def kept(world: World) -> str:
    return str(json.loads(world.path.read_text())["access_token"])


async def refuse(guard: TokenGuard) -> str:
    """The provider refuses the token that the guard has now."""
    await guard.ready()
    token = guard.access_token
    assert token is not None
    assert guard.refused(token) is None
    return token


async def test_a_good_token_is_used_as_it_is(world: World) -> None:
    guard = world.guard()
    assert await guard.ready() is None
    assert guard.access_token == kept(world)
    assert world.fake.requests == []


async def test_fifty_refused_calls_make_one_refresh(world: World) -> None:
    guard = world.guard()
    old = await refuse(guard)
    assert await asyncio.gather(*(guard.ready() for _ in range(50))) == [None] * 50
    assert world.fake.oauth.refreshes == 1
    assert guard.access_token not in (None, old)
    assert guard.access_token == kept(world)
    assert guard.refused(old) is None, "a call that was under way with the old token says nothing about the new one"
    assert await guard.ready() is None
    assert world.results == ["refreshed"]


async def test_a_token_past_its_own_end_is_refreshed_without_asking_the_portal(world: World) -> None:
    guard = world.guard()
    world.wall = 4e9
    assert await guard.ready() is None
    assert world.fake.oauth.refreshes == 1
    world.wall = 0.0
    world.now += 3599
    assert await guard.ready() is None
    assert world.fake.oauth.refreshes == 1, "a host's clock that jumps causes no second refresh"
    world.now += 2
    assert await guard.ready() is None
    assert world.fake.oauth.refreshes == 2


async def test_a_new_token_that_is_refused_at_once_blocks_instead_of_refreshing_on(world: World) -> None:
    guard = world.guard()
    await refuse(guard)
    assert await guard.ready() is None
    fresh = guard.access_token
    assert fresh is not None
    blocked = guard.refused(fresh)
    assert isinstance(blocked, Blocked)
    assert await guard.ready() == blocked
    assert world.fake.oauth.refreshes == 1
    write_tokens(world.path, world.fake)
    assert await guard.ready() is None, "somebody has authorised anew"
    assert guard.access_token == kept(world)


async def test_a_token_that_was_accepted_once_may_be_refreshed_again_when_it_ends(world: World) -> None:
    guard = world.guard()
    await refuse(guard)
    await guard.ready()
    guard.accepted(str(guard.access_token))
    await refuse(guard)
    assert await guard.ready() is None
    assert world.fake.oauth.refreshes == 2


NO_PAIR = Blocked("token_endpoint", "the token service gave no pair, 1 times in a row")


async def test_an_answer_lost_after_rotation_ends_blocked_after_two_refreshes(world: World) -> None:
    guard = world.guard()
    await refuse(guard)
    world.fake.fail("reset_after", 1, path="/oauth")
    assert await guard.ready() == NO_PAIR, "why nothing is sent is said at once"
    world.now += 29
    assert await guard.ready() == NO_PAIR
    world.now += 1
    blocked = await guard.ready()
    assert isinstance(blocked, Blocked)
    assert blocked.reason == "invalid_grant"
    world.now += 10_000
    assert await guard.ready() == blocked
    assert world.fake.oauth.refreshes == 2
    assert world.results == ["token_endpoint", "invalid_grant"]


async def test_an_answer_lost_before_rotation_is_repeated_with_the_same_token(world: World) -> None:
    guard = world.guard()
    await refuse(guard)
    world.fake.fail("reset_before", 1, path="/oauth")
    assert await guard.ready() == NO_PAIR
    world.now += 30
    assert await guard.ready() is None
    assert world.fake.oauth.refreshes == 1


async def test_an_endpoint_that_is_down_is_asked_rarely_and_heals(world: World) -> None:
    guard = world.guard(total_seconds=0.1)
    await refuse(guard)
    world.fake.fail("status", path="/oauth", status=503)
    asked = []
    for _ in range(600):
        asked.append(await guard.ready())
        world.now += 1
    assert len(world.fake.requests) <= 600 / 30
    assert all(isinstance(answer, Blocked) for answer in asked)
    world.fake.heal()
    world.now += 900
    assert await guard.ready() is None


async def test_all_who_wait_wake_when_a_refresh_hangs(world: World) -> None:
    guard = world.guard(total_seconds=0.1)
    await refuse(guard)
    world.fake.fail("hang", path="/oauth")
    assert await asyncio.gather(*(guard.ready() for _ in range(20))) == [NO_PAIR] * 20
    assert len(world.fake.requests) == 1


async def test_a_refresh_is_seen_through_when_its_waiter_is_cancelled(world: World) -> None:
    guard = world.guard()
    old = await refuse(guard)
    world.fake.fail("slow", 1, path="/oauth", seconds=0.05)
    waiter = asyncio.ensure_future(guard.ready())
    await world.fake.arrived(1)
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    await guard.close()
    assert kept(world) != old


async def test_a_pair_that_a_peer_has_got_is_taken_without_a_refresh(world: World) -> None:
    guard, peer = world.guard(), world.guard()
    await refuse(guard)
    await refuse(peer)
    assert await peer.ready() is None
    assert await guard.ready() is None
    assert guard.access_token == peer.access_token
    assert world.fake.oauth.refreshes == 1


async def test_two_processes_do_not_refresh_at_once(world: World) -> None:
    guard = world.guard()
    await refuse(guard)
    pen = TokenFile(world.path).hold()
    assert isinstance(pen, TokenPen)
    assert await guard.ready() == Deferred("token_refresh_elsewhere", 1.0, left=False)
    pen.release()
    assert await guard.ready() is None


async def test_two_processes_that_refresh_at_once_make_at_most_two_refreshes(world: World) -> None:
    guards = [world.guard(), world.guard()]
    for guard in guards:
        await refuse(guard)
    world.fake.fail("slow", path="/oauth", seconds=0.05)
    for _ in range(200):
        asked = await asyncio.gather(*(guard.ready() for guard in guards for _ in range(25)))
        if asked == [None] * 50:
            break
        assert {answer for answer in asked if answer} == {Deferred("token_refresh_elsewhere", 1.0, left=False)}
    assert world.fake.oauth.refreshes <= 2
    assert guards[0].access_token == guards[1].access_token == kept(world)


async def test_what_was_learnt_lies_beside_the_pair_and_outlives_refreshes_and_processes(world: World) -> None:
    guard = world.guard()
    await guard.ready()
    guard.note("learnt", {"home": "https://new.bitrix24.ru"})
    assert await guard.ready() is None
    assert json.loads(world.path.read_text())["vestnik"]["learnt"] == {"home": "https://new.bitrix24.ru"}
    await refuse(guard)
    assert await guard.ready() is None
    peer = world.guard()
    assert await peer.ready() is None
    assert peer.notes["learnt"] == {"home": "https://new.bitrix24.ru"}
    assert peer.notes["obtained"] == world.wall


async def test_notes_that_the_store_does_not_take_stop_no_request_and_are_tried_again(world: World) -> None:
    guard = world.guard()
    await guard.ready()
    pen = TokenFile(world.path).hold()
    assert isinstance(pen, TokenPen)
    guard.note("learnt", {"single": True})
    assert await guard.ready() is None
    assert "vestnik" not in json.loads(world.path.read_text())
    pen.release()
    assert await guard.ready() is None
    assert "vestnik" not in json.loads(world.path.read_text()), "not at each request"
    world.now += 30
    assert await guard.ready() is None
    assert json.loads(world.path.read_text())["vestnik"] == {"learnt": {"single": True}}


async def test_the_age_of_a_pair_is_said_when_it_is_found_and_when_it_is_got(world: World) -> None:
    world.wall = 1_700_000_000.0
    document = json.loads(world.path.read_text())
    world.path.write_text(json.dumps({**document, "expires": 1_700_003_600, "expires_in": 3600}))
    guard = world.guard()
    await refuse(guard)
    world.wall += 100
    assert await guard.ready() is None
    first, second = (fact for fact in world.facts if isinstance(fact, TokenKept))
    assert (first.obtained_at, first.expires_at) == (1_700_000_000.0, 1_700_003_600.0)
    assert second.obtained_at == 1_700_000_100.0
    assert second.refresh_expires_at - second.obtained_at == 180 * 86_400


async def test_a_wrong_secret_blocks_until_it_is_put_right(world: World) -> None:
    guard = world.guard()
    await refuse(guard)
    world.secret = "wrong"
    blocked = await guard.ready()
    assert isinstance(blocked, Blocked)
    assert blocked.reason == "wrong_client"
    world.secret = "client-secret"
    world.now += 30
    assert await guard.ready() is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"access_token": "a"}', '{"access_token": 1, "refresh_token": "b"}'])
async def test_a_broken_token_file_blocks_before_anything_is_rotated(world: World, text: str) -> None:
    world.path.write_text(text)
    blocked = await world.guard().ready()
    assert isinstance(blocked, Blocked)
    assert blocked.reason == "token_store"
    assert world.fake.requests == []


async def test_a_token_file_that_others_can_read_is_refused(world: World) -> None:
    world.path.chmod(0o640)
    blocked = await world.guard().ready()
    assert isinstance(blocked, Blocked)
    assert "chmod 600" in blocked.detail
    world.path.unlink()
    blocked = await world.guard().ready()
    assert isinstance(blocked, Blocked)
    assert "does not exist" in blocked.detail


async def test_a_file_that_cannot_be_replaced_stops_the_refresh_before_it_rotates(world: World) -> None:
    guard = world.guard()
    await refuse(guard)
    draft = world.path.with_name("tokens.json.new")
    draft.mkdir()
    blocked = await guard.ready()
    assert isinstance(blocked, Blocked)
    assert blocked.reason == "token_store"
    assert world.fake.oauth.refreshes == 0
    draft.rmdir()
    assert await guard.ready() is None


async def test_a_pair_that_the_disk_did_not_take_is_not_used_before_it_does(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard = world.guard()
    old = await refuse(guard)
    with monkeypatch.context() as broken:
        broken.setattr("consumer.sinks.tokens.Path.replace", _full_disk)
        blocked = await guard.ready()
    assert isinstance(blocked, Blocked)
    assert guard.access_token is None
    assert kept(world) == old
    assert await guard.ready() is None
    assert guard.access_token == kept(world) != old
    assert world.fake.oauth.refreshes == 1


def _full_disk(self: Path, target: Path) -> Path:
    raise OSError(28, "No space left on device")


async def test_the_file_stays_readable_by_its_owner_alone(world: World) -> None:
    guard = world.guard()
    await refuse(guard)
    await guard.ready()
    assert world.path.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in world.path.parent.iterdir()) == ["tokens.json", "tokens.json.lock"]
    assert json.loads(world.path.read_text())["client_endpoint"].startswith("http://127.0.0.1")


PAIR = {"access_token": "a", "refresh_token": "b", "expires_in": 3600}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (NotSent("dns"), "token_endpoint"),
        (Lost("timeout"), "token_endpoint"),
        (reply(500, PAIR), "token_endpoint"),
        (reply(200, b"<html>"), "token_endpoint"),
        (reply(429, b""), "token_endpoint"),
        (reply(200, {"error": "wrong_client"}), "wrong_client"),
        (reply(200, {**PAIR, "error": "invalid_grant"}), "invalid_grant"),
        (reply(400, {"error": "invalid_grant"}), "invalid_grant"),
        (reply(302, b""), "token_endpoint"),
        (reply(400, {"error": "else"}), "token_endpoint"),
    ],
)
def test_each_answer_of_the_endpoint_has_its_meaning(answer: Reply | NotSent | Lost, reason: str) -> None:
    said = judge_refresh(answer)
    assert isinstance(said, (Blocked, Deferred))
    assert said.reason == reason


def test_a_whole_pair_is_taken_and_never_printed() -> None:
    assert judge_refresh(reply(200, PAIR)) == PAIR
    tokens = read_tokens(PAIR)
    assert isinstance(tokens, Tokens)
    assert "'a'" not in repr(tokens)


async def test_a_missing_secret_blocks_without_asking_the_endpoint(world: World) -> None:
    guard = world.guard()
    await refuse(guard)
    world.secret = " \n"
    blocked = await guard.ready()
    assert isinstance(blocked, Blocked)
    assert blocked.reason == "secret_unusable"
    assert world.fake.requests == []
