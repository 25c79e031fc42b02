"""The sealed token pairs, on every kind of table."""

from consumer.core.secrets import SecretRef
from consumer.sinks.token_topic import Place, TokenTopic, TopicPen, TopicStore
from consumer.sinks.tokens import Tokens
from tests.contract.worlds import World


def _store(world: World) -> TopicStore:
    return TopicStore(Place("staff", TokenTopic(key=SecretRef(env="KEY")), world.table, lambda _: "k" * 32))


async def test_a_pair_that_was_acked_is_read_by_the_next_process(world: World) -> None:
    """Three pairs, each written by a process of its own; whoever asks then gets the last one."""
    for number in range(3):
        pen = await _store(world).hold()
        assert isinstance(pen, TopicPen), pen
        assert await pen.write({"access_token": f"a{number}", "refresh_token": f"r{number}"})
        found = await _store(world).read()
        assert isinstance(found, Tokens), found
        assert (found.access, found.refresh) == (f"a{number}", f"r{number}")
