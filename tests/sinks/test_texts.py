"""Long texts are counted, and a campaign ends at its ceiling."""

import pytest

from consumer.core.facts import Fact, LongTextsSent
from consumer.core.model import Blocked, Delivered, Message, Refused, Unsure
from consumer.demo.fakes import ImshopFake
from consumer.sinks.base import make_sink
from consumer.sinks.imshop import ImshopConfig
from consumer.sinks.texts import CROWD, DAY_SECONDS, Campaigns, Lengths, Measure, one_line
from tests.sinks.support import CANARY, batch, secret


class Hand:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def crowd(count: int, start: int = 0) -> tuple[str, ...]:
    return tuple(str(number) for number in range(start, start + count))


def test_a_text_is_as_long_as_people_may_see_or_it_is_named() -> None:
    lengths = Lengths(title=3, text=5)
    assert lengths.exceeded(Message("abc", "abcde")) == ()
    assert lengths.exceeded(Message("abcd", "abcdef")) == ("title", "text")
    assert Lengths().exceeded(Message("a" * 1000, "a" * 1000)) == ()


@pytest.mark.parametrize(
    ("title", "text", "line"),
    [("T", "x", "T. x"), ("T!", "x", "T! x"), ("", "x  y", "x y"), ("T", "", "T"), ("Дом", "x", "Дом. x")],
)
def test_a_provider_without_titles_takes_so_many_bytes_of_one_line(title: str, text: str, line: str) -> None:
    message, size = Message(title, text), len(line.encode())
    assert one_line(message) == line
    assert Lengths(line_bytes=size).exceeded(message) == ()
    assert list(Lengths(line_bytes=size - 1).measures(message)) == [Measure("text", size, size - 1, "bytes")]
    assert Lengths(line_bytes=size - 1).exceeded(message) == ("text",)


def test_a_campaign_that_would_pass_its_ceiling_is_full_until_a_day_is_over() -> None:
    clock = Hand()
    campaigns = Campaigns(100, clock)
    assert not campaigns.full(batch(*crowd(100)))
    assert campaigns.full(batch(*crowd(101)))
    campaigns.note(batch(*crowd(60)), (Delivered(),))
    clock.now += 1
    campaigns.note(batch(*crowd(30)), (Unsure("reset"),))
    campaigns.note(batch(*crowd(50)), (Blocked("key_refused"),))
    assert not campaigns.full(batch(*crowd(10)))
    assert campaigns.full(batch(*crowd(11)))
    assert not campaigns.full(batch(*crowd(11), message=Message("other", "text")))
    clock.now += DAY_SECONDS - 1
    assert not campaigns.full(batch(*crowd(70)))
    assert campaigns.full(batch(*crowd(71)))


def test_what_goes_to_few_is_no_campaign_however_often_it_goes() -> None:
    campaigns = Campaigns(20, Hand())
    for _ in range(100):
        campaigns.note(batch(*crowd(CROWD - 1)), (Delivered(),))
    assert not campaigns.full(batch(*crowd(CROWD)))
    campaigns.note(batch(*crowd(20)), (Delivered(),))
    assert campaigns.full(batch(*crowd(CROWD)))
    assert not campaigns.full(batch(*crowd(CROWD - 1)))
    assert not Campaigns(None, Hand()).full(batch(*crowd(10_000)))


async def test_a_lane_refuses_the_rest_of_a_campaign_without_a_request_and_counts_long_texts() -> None:
    facts: list[Fact] = []
    async with ImshopFake(CANARY) as fake:
        config = ImshopConfig.model_validate(
            {"type": "imshop", "url": fake.url, "key": {"env": "K"}, "campaign_ceiling": 25}
        )
        sink = make_sink(config, secret(), facts.append, "app-push")
        assert await sink.ready() is None
        long = Message("т" * 51, "текст")
        assert await sink.send(batch(*crowd(20), message=long)) == (Delivered(),)
        assert await sink.send(batch(*crowd(20, 20), message=long)) == (Refused("campaign_ceiling", letter=False),)
        assert await sink.send(batch("99", message=long)) == (Delivered(),)
        assert len(fake.requests) == 2
        assert facts == [LongTextsSent("app-push", "imshop", "title", 1)] * 2
        await sink.close()
