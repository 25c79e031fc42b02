"""PromQL that several panels share."""

from scripts.observability.kit import LANES
from scripts.observability.rules import COUNTED, IN_TIME

RATE = "$__rate_interval"
ROUTES = f'{LANES},route=~"$route"'


def per_second(metric: str, by: str, selector: str = LANES) -> str:
    """How fast a counter rises, summed by labels."""
    return f"sum by ({by}) (rate({metric}{{{selector}}}[{RATE}]))"


def in_range(metric: str, by: str, selector: str = LANES) -> str:
    """By how much a counter rose over what is shown."""
    return f"sum by ({by}) (increase({metric}{{{selector}}}[$__range]))"


def largest(metric: str, by: str = "lane", selector: str = LANES) -> str:
    """The largest value that any process tells: those that do not own a lane tell less, or nothing."""
    return f"max by ({by}) ({metric}{{{selector}}})"


def quantile(share: float, metric: str, by: str = "lane", selector: str = LANES) -> str:
    """A quantile of a histogram."""
    return f"histogram_quantile({share}, sum by ({by}, le) (rate({metric}_bucket{{{selector}}}[{RATE}])))"


def _counted(window: str) -> str:
    name, labels = COUNTED.rstrip("}").split("{")
    return f"{name}{{{LANES},{labels}}}[{window}]"


def share_in_time(window: str) -> str:
    """Of what was told or should have been, the share that was in time."""
    return f"sum by (lane) (increase({IN_TIME}{{{LANES}}}[{window}])) / sum by (lane) (increase({_counted(window)}))"
