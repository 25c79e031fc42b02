"""A record of 150 MB that came as a few kilobytes costs a lane at most three times its size, and a second."""

import asyncio
import json
import sys

from consumer.core.model import Record
from consumer.streams.letters import PREFIX_BYTES, read_headers
from consumer.streams.settings import KafkaSettings
from tests.contract.worlds import KafkaWorld
from tests.kafka.bomb import BYTES
from tests.kafka.ring import shared_bootstrap


async def _process(*arguments: str) -> bytes:
    """Both have a process of their own, so that the peak is theirs."""
    command = [sys.executable, "-m", "tests.kafka.bomb", *arguments]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    said, _ = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0
    return said


async def test_a_bomb_is_a_dead_letter_and_the_next_record_is_read() -> None:
    world = KafkaWorld(KafkaSettings(shared_bootstrap()))
    await world.open()
    names = (world.settings.bootstrap, world.topic, world.lane, world._letters)
    await _process("publish", *names)
    found = json.loads(await _process("consume", *names))
    assert found["reason"] == "oversize"
    assert found["more_bytes"] <= 3 * BYTES
    assert found["cpu_seconds"] <= 1.0
    (letter,) = await world.letters()
    assert isinstance(letter, Record)
    assert len(letter.value or b"") == PREFIX_BYTES
    headers = read_headers(letter)
    assert headers is not None
    assert (headers.reason.value, headers.offset) == ("oversize", 0)
    await world.close()
