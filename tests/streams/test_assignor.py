"""The exclusive assignor as pure logic: who gets everything, and what garbage counts."""

import pytest
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata
from hypothesis import given
from hypothesis import strategies as st

from consumer.core.shares import Share, preferred, spread
from consumer.streams.assignor import VERSION, chosen, exclusive_assignor, process_of, read, share_assignor, written

PARTITIONS = {"orders": {0, 1, 2}, "bonuses": {0}}


class Cluster:
    """Two topics."""

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return PARTITIONS.get(topic)


def _member(topics: list[str], user_data: bytes = b"") -> ConsumerProtocolMemberMetadata:
    return ConsumerProtocolMemberMetadata(VERSION, topics, user_data)


def _assigned(**members: ConsumerProtocolMemberMetadata) -> dict[str, list[tuple[str, list[int]]]]:
    given = exclusive_assignor().assign(Cluster(), members)
    return {name: list(assignment.assignment) for name, assignment in given.items()}


def test_everything_goes_to_the_highest_claim() -> None:
    """And the others get nothing."""
    topics = ["orders", "bonuses"]
    low, high = written(3, holding=True), written(4, holding=False)
    assert _assigned(a=_member(topics, low), b=_member(topics, high)) == {
        "a": [],
        "b": [("bonuses", [0]), ("orders", [0, 1, 2])],
    }


def test_without_a_claim_the_one_that_owns_stays_and_else_the_first_by_name() -> None:
    """So that joins before the first claim move nothing."""
    assert chosen({"b": written(0, holding=False), "a": written(0, holding=False)}) == "a"
    assert chosen({"b": written(0, holding=True), "a": written(0, holding=False)}) == "b"
    assert chosen({}) is None


def test_the_owner_gets_the_topics_that_it_knows() -> None:
    """A member with other subscriptions brings nothing to an owner that did not ask for it; one without any is passed
    over, whatever it claims."""
    claim = written(9, holding=True)
    assert _assigned(a=_member(["orders", "unknown"], claim), b=_member(["bonuses"])) == {
        "a": [("orders", [0, 1, 2])],
        "b": [],
    }
    assert _assigned(a=_member([], claim), b=_member(["bonuses"])) == {"a": [], "b": [("bonuses", [0])]}


@given(st.binary(max_size=9) | st.just(b"\x00" + b"\xff" * 20) | st.none())
def test_garbage_is_no_claim(user_data: bytes | None) -> None:
    """Too short, another format, or nothing at all."""
    assert read(user_data) == (0, False)


@given(st.integers(0, 2**63), st.booleans(), st.binary(max_size=5))
def test_user_data_can_be_read_back_also_when_a_later_version_appended_to_it(
    claim: int, holding: bool, more: bytes
) -> None:
    """The claim is what it was."""
    assert read(written(claim, holding=holding) + more) == (claim, holding)


def test_each_member_has_a_state_of_its_own_and_losing_clears_its_claim() -> None:
    """The library knows assignors as classes, so the state is the class's."""
    ours, other = exclusive_assignor(), exclusive_assignor()
    ours.claim = 5
    ours.on_assignment(ConsumerProtocolMemberAssignment(VERSION, [("orders", [0])], b""))
    assert read(ours.metadata(["orders"]).user_data) == (5, True)
    assert read(other.metadata(["orders"]).user_data) == (0, False)
    ours.on_assignment(ConsumerProtocolMemberAssignment(VERSION, [], b""))
    assert read(ours.metadata(["orders"]).user_data) == (0, False)


@pytest.mark.parametrize("topics", [["orders"], ["bonuses", "orders"]])
def test_what_is_sent_to_the_group_can_be_encoded(topics: list[str]) -> None:
    """Metadata and assignment as bytes, as the library sends them."""
    metadata = exclusive_assignor().metadata(topics)
    assert ConsumerProtocolMemberMetadata.decode(metadata.encode()).subscription == sorted(topics)
    assignment = exclusive_assignor().assign(Cluster(), {"a": metadata})["a"]
    assert len(ConsumerProtocolMemberAssignment.decode(assignment.encode()).partitions()) >= 1


def _shared(number: int, processes: dict[str, str]) -> dict[str, list[tuple[str, list[int]]]]:
    """What each process gets of the group of a share of three; a member's id has nothing of its process's name."""
    share = Share("hook", number, 3)
    members = {
        f"{number}{id_}": share_assignor(share, process).metadata(["orders", "bonuses"])
        for id_, process in processes.items()
    }
    given = share_assignor(share, "leader").assign(Cluster(), members)
    return {processes[name[1:]]: list(assignment.assignment) for name, assignment in given.items()}


def test_a_share_has_its_part_of_the_partitions_and_the_shares_are_spread_over_the_processes() -> None:
    processes = {"z": "alpha", "a": "beta"}
    parts = [[("bonuses", [0]), ("orders", [0])], [("orders", [1])], [("orders", [2])]]
    plan = spread(["alpha", "beta"], 3)
    for number, (part, owner) in enumerate(zip(parts, plan, strict=True)):
        other = ({"alpha", "beta"} - {owner}).pop()
        assert _shared(number, processes) == {owner: part, other: []}


def test_another_number_of_shares_is_another_protocol_so_that_the_broker_lets_nobody_with_it_in() -> None:
    names = [share_assignor(Share("hook", 0, of), "me").name for of in (2, 4)]
    assert len({*names, exclusive_assignor().name}) == 3


def test_a_share_with_no_partition_is_nobody_s() -> None:
    share = Share("hook", 5, 6)
    members = {"a": share_assignor(share, "me").metadata(["orders"])}
    assert [list(each.assignment) for each in share_assignor(share, "me").assign(Cluster(), members).values()] == [[]]


def test_the_process_s_name_stands_behind_the_claim_and_hides_nothing_of_it() -> None:
    member = share_assignor(Share("hook", 1, 4), "host:7:ab")
    member.claim, member.holding = 12, True
    data = member.metadata(["orders"]).user_data
    assert (read(data), process_of(data), process_of(None)) == ((12, True), "host:7:ab", "")


def test_a_share_goes_only_to_who_has_read_its_journal_back_unless_nobody_has() -> None:
    share = Share("hook", 0, 1)
    early, late = share_assignor(share, "b"), share_assignor(share, "a")
    group = {"1": early.metadata(["orders"]).user_data, "2": late.metadata(["orders"]).user_data}
    assert early.choose(group) in group
    early.ready = True
    group["1"] = early.metadata(["orders"]).user_data
    assert late.choose(group) == "1"
    late.ready = True
    group["2"] = late.metadata(["orders"]).user_data
    assert late.choose(group) == early.choose(group) == preferred({"1": "b", "2": "a"}, share)
