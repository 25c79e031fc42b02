"""The request's benchmark runs, and both of its ways send the same."""

import json
from pathlib import Path

from consumer.demo.fakes import WebhookFake
from tests.benchmarks import every, request

REQUESTS = 40


def test_each_way_is_measured_on_each_loop_beside_the_bare_post(tmp_path: Path) -> None:
    file = tmp_path / "request.json"
    request.main(
        ["--json", str(file), "--requests", str(REQUESTS), "--rounds", "1", "--in-flight", "8", "--latency-ms", "0"]
    )
    told = json.loads(file.read_text())
    assert [(row["way"], row["loop"]) for row in told["costs"]] == [
        (way, loop) for loop in request.loops() for way in (request.BARE, request.SINK)
    ]
    assert all(row["requests"] == REQUESTS and row["us_per_request"] > 0 for row in told["costs"])
    assert told["ratios"].keys() == request.loops().keys()
    assert all(ratio > 0 for ratio in told["ratios"].values())
    assert every.request_ratios(file) == {
        f"bare post/request of the sink on {loop}, CPU": round(1 / ratio, 2) for loop, ratio in told["ratios"].items()
    }


async def test_both_ways_push_the_same_to_the_same_people() -> None:
    sent = request.batches(REQUESTS)
    for way, open_way in request.ways(request.Work(), sent).items():
        async with WebhookFake() as gateway:
            await request.spent(open_way, gateway.url, sent, in_flight=1)
            # The first of them once more, which makes the connections.
            told = [(delivery.recipient, delivery.message) for delivery in gateway.deliveries]
        wanted = [(batch.commands[0].recipient, batch.parcels[0].message) for batch in (sent[0], *sent)]
        assert told == wanted, way
