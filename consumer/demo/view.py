"""The demo on a terminal: lanes, groups, quota and the last pushes, told by the facts that the lanes emit."""

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from consumer.core.facts import (
    CommandEnded,
    DeadLettered,
    Fact,
    LaneBlocked,
    LaneGauges,
    LaneMoved,
    LaneUnblocked,
    Pushed,
    RequestSent,
)

_LAST_PUSHES = 8
_STATE_STYLES = {"working": "green", "blocked": "red", "draining": "yellow", "stopped": "dim"}


@dataclass(slots=True)
class LaneCard:
    """What is known of one lane."""

    state: str = "starting"
    blocked: str = ""
    gauges: LaneGauges | None = None
    requests: int = 0
    pushed: int = 0
    dead: int = 0
    ends: Counter[str] = field(default_factory=Counter)

    @property
    def status(self) -> str:
        return f"blocked: {self.blocked}" if self.blocked else self.state


@dataclass(slots=True)
class DemoView:
    """Listens to facts and shows how things stand. Times are seconds of the run."""

    lanes: dict[str, LaneCard]
    seconds: float
    page: str = ""
    note: str = ""
    published: int = 0
    last: deque[tuple[str, Pushed]] = field(default_factory=lambda: deque(maxlen=_LAST_PUSHES))

    def tell(self, fact: Fact) -> None:
        """An `Emit`: facts of lanes that are not on the page are passed over."""
        card = self.lanes.get(fact.lane)
        if card is not None:
            self._take(card, fact)

    def _take(self, card: LaneCard, fact: Fact) -> None:
        match fact:
            case LaneGauges():
                card.gauges = fact
                card.state = fact.state
            case LaneMoved(state=state):
                card.state = state
            case LaneBlocked(reason=reason):
                card.blocked = reason
            case LaneUnblocked():
                card.blocked = ""
            case RequestSent():
                card.requests += 1
            case _:
                self._count(card, fact)

    def _count(self, card: LaneCard, fact: Fact) -> None:
        match fact:
            case Pushed(recipients=recipients):
                card.pushed += len(recipients)
                self.last.appendleft((fact.lane, fact))
            case CommandEnded(outcome=outcome, count=count):
                card.ends[outcome.value] += count
            case DeadLettered():
                card.dead += 1
            case _:
                pass

    # --- for a terminal -------------------------------------------------------------------------------------------

    def render(self, elapsed_seconds: float) -> RenderableType:
        """The whole screen."""
        left = max(0.0, self.seconds - elapsed_seconds)
        head = Text(f"Vestnik demo   {left:3.0f} s left   {self.published} events published", style="bold")
        if self.page:
            head.append(f"   {self.page}", style="cyan")
        parts: list[RenderableType] = [head]
        if self.note:
            parts.append(Text(self.note, style="yellow"))
        return Group(*parts, self._lanes_table(), Panel(self._last_table(), title="just pushed", title_align="left"))

    def _lanes_table(self) -> Table:
        table = Table(box=SIMPLE_HEAD, expand=True, pad_edge=False, padding=(0, 1, 0, 0))
        table.add_column("lane", no_wrap=True)
        table.add_column("state", overflow="fold")
        for name in ("quota", "groups", "waiting", "requests", "told", "dead"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("ended otherwise", ratio=1)
        for name, card in self.lanes.items():
            style = "red" if card.blocked else _STATE_STYLES.get(card.state, "")
            table.add_row(name, Text(card.status, style=style), *_figures(card), _ends(card))
        return table

    def _last_table(self) -> Table:
        table = Table.grid(padding=(0, 2), expand=True)
        table.add_column(no_wrap=True, style="dim")
        table.add_column(no_wrap=True, justify="right")
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        for lane, pushed in self.last:
            # A new line would break the row; and the text is a shop's, so it is never read as markup.
            words = " ".join(f"{pushed.message.title}  {pushed.message.text}".split())
            table.add_row(lane, f"×{len(pushed.recipients)}", Text(words))
        return table

    # --- without one ----------------------------------------------------------------------------------------------

    def line(self, elapsed_seconds: float) -> str:
        """How things stand in one plain line."""
        lanes = "; ".join(_lane_line(name, card) for name, card in self.lanes.items())
        return f"{elapsed_seconds:4.0f} s: {self.published} published; {lanes}"


def _figures(card: LaneCard) -> Iterable[str]:
    gauges = card.gauges
    standing = ("", "", "")
    if gauges is not None:
        standing = (f"{gauges.quota_used}/{gauges.quota_requests}", str(gauges.groups), str(gauges.waiting))
    return (*standing, str(card.requests), str(card.pushed), str(card.dead))


def _ends(card: LaneCard) -> str:
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(card.ends.items()) if outcome != "delivered")


def _lane_line(name: str, card: LaneCard) -> str:
    gauges = card.gauges
    waiting = f", {gauges.waiting} wait in {gauges.groups} groups" if gauges else ""
    return f"{name} {card.status}: {card.requests} requests told {card.pushed}{waiting}, {card.dead} dead letters"
