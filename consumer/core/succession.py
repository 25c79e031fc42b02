"""What a new set of routes may not change of the one that runs: an id's lane and recipients, and its own being there.

A lane reads by itself, at its own pace: records between two lanes' positions would be told twice or by nobody when a
route simply moved. It ends with `until:` and a successor begins with `from:`, by the records' own times.
"""

from collections.abc import Iterator

from consumer.core.document import Problem
from consumer.core.routes import LoadedRoute, RouteSet, expression_path

MEND = "end it with until: and let a route with another id begin with from: at the same time"


def moved_routes(deployed: RouteSet, wanted: RouteSet) -> Iterator[Problem]:
    """Routes of the new set that are known by their id and lead elsewhere."""
    for loaded in wanted.routes:
        before = deployed.find(loaded.route.id)
        if before is not None and before.route.lane != loaded.route.lane:
            what = f"lane is {loaded.route.lane}, and the route that is deployed has {before.route.lane}"
            yield loaded.problem(("lane",), what, MEND)
        if before is not None and _whom(before) != _whom(loaded):
            what = f"to is {loaded.route.to}, and the route that is deployed has {before.route.to}"
            yield loaded.problem(("to",), what, MEND)


def _whom(loaded: LoadedRoute) -> object:
    path = expression_path(loaded.route.to)
    return (path if path[0] == "event" else ("event", *path)) if path else loaded.route.to
