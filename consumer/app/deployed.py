"""The planners that the lanes of a process use at this moment: all of one set of routes, changed in one step."""

from collections.abc import Mapping
from dataclasses import dataclass

from consumer.app.profiles import lane_profile
from consumer.app.setup import Setup
from consumer.core.model import Plan, Record
from consumer.core.plan import Planner


def planners_of(setup: Setup) -> Mapping[str, Planner]:
    """A planner for each lane and share, ready to work. It compiles every template: not for the event loop."""
    config, formats = setup.config, setup.sources.formats
    return {name: Planner(lane_profile(config, name, formats), setup.routes) for name in config.names}


class Deployed:
    """What is deployed. A planner is looked up for each record, and a record is planned without a pause: between two
    records the whole set changes by one assignment, and no record sees a part of it."""

    def __init__(self, planners: Mapping[str, Planner]) -> None:
        self.planners = planners

    def of(self, lane: str) -> "LanePlanner":
        """The planner of a lane, whatever is deployed by then."""
        return LanePlanner(self, lane)


@dataclass(frozen=True, slots=True)
class LanePlanner:
    """Implements `ports.Planner`."""

    deployed: Deployed
    lane: str

    def plan(self, record: Record) -> Plan:
        return self.deployed.planners[self.lane].plan(record)
