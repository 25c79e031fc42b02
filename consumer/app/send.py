"""`vestnik send`: a message to one recipient, through the lane's backfill topic, where only its gate lets it out."""

from zlib import crc32

from consumer.app import wiring
from consumer.app.setup import Setup
from consumer.core.model import Trouble
from consumer.core.sending import Sending
from consumer.streams.publisher import Publisher


def refusal(setup: Setup, lane: str, recipient: str) -> str:
    """Why nothing can be sent through this lane; empty when it can."""
    if no_lane := setup.config.no_lane(lane):
        return no_lane
    config = setup.config.lanes[lane]
    if setup.config.kafka is None:
        return "the configuration has no kafka, so that no lane can be reached"
    if not config.backfill:
        return f"the lane {lane} does not read its backfill topic; say `backfill: true` there and deploy it"
    if config.mode == "shadow":
        return f"the lane {lane} is in mode shadow and tells nobody"
    if config.mode == "allow_list" and recipient not in config.allow_list:
        return f"the lane {lane} is in mode allow_list, and this recipient is not on the list"
    return ""


def door_of(setup: Setup, lane: str, recipient: str) -> str:
    """The backfill topic by which the message goes in: of a shared lane that of the same share for one recipient."""
    names = setup.config.named(lane)
    return wiring.backfill_topic(names[crc32(recipient.encode()) % len(names)])


async def send(setup: Setup, lane: str, sending: Sending) -> Trouble | None:
    """Hand the message to the lane; None once the broker has it."""
    key, value, headers = sending.to_record()
    async with Publisher(wiring.kafka_settings(setup)) as publisher:
        landed = await publisher.publish(door_of(setup, lane, sending.recipient), key, value, headers)
    return landed if isinstance(landed, Trouble) else None
