"""Draws simulated days as one PNG: a column for each policy, and under one another waits, requests, ladder."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from consumer.core.model import Priority
from consumer.simulate.course import Axis, axis_of, levels_of, requests_a_minute, waits_of
from consumer.simulate.figures import Figures
from consumer.simulate.report import duration
from consumer.simulate.scenarios import Result

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NEEDS = "--plot needs matplotlib, which comes with an extra: pip install 'vestnik[plot]'"
DOTS_PER_INCH = 100
_COLUMN_INCHES, _LEAST_INCHES, _HEIGHT_INCHES = 4.5, 8.0, 9.0
_COLOURS = {Priority.URGENT: "#c0392b", Priority.NORMAL: "#2471a3", Priority.LOW: "#7d8a2e"}
# The most personal wording stands back; coarser ones are what the eye should find.
_LEVEL_COLOURS = ("#dfe6e9", "#f5b041", "#ca6f1e", "#873600")
# Quick answers differ by what nobody notices, and would take half of a logarithmic scale.
_LEAST_SHOWN_SECONDS = 1.0


def is_drawable() -> bool:
    """Whether the library that draws is installed."""
    try:
        import matplotlib  # noqa: F401, PLC0415 - it is large, and only a picture needs it
    except ImportError:
        return False
    return True


def pixels(columns: int) -> tuple[int, int]:
    """Width and height of a picture of so many policies."""
    width = max(_LEAST_INCHES, _COLUMN_INCHES * columns)
    return round(width * DOTS_PER_INCH), round(_HEIGHT_INCHES * DOTS_PER_INCH)


def draw(results: Sequence[Result], title: str, path: Path) -> None:
    """Write the picture. OSError when the file cannot be written."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    width, height = pixels(len(results))
    sheet = Figure(figsize=(width / DOTS_PER_INCH, height / DOTS_PER_INCH), dpi=DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(sheet)
    sheet.suptitle(title)
    grid = sheet.subplots(3, len(results), sharex=True, sharey="row", squeeze=False)
    axis = axis_of(result.figures for result in results)
    for column, result in enumerate(results):
        waits, requests, levels = grid[:, column]
        waits.set_title(result.run.label or result.run.policy)
        _draw_waits(waits, result.figures, axis)
        _draw_requests(requests, result, axis)
        _draw_levels(levels, result.figures, axis)
        levels.set_xlabel("hours from midnight, UTC")
    for row, name in enumerate(("wait of those who came then", "requests a minute", "wordings told")):
        grid[row, 0].set_ylabel(name)
    _explain(sheet, grid[:, 0].tolist(), grid[2].tolist())
    with path.open("wb") as file:
        sheet.savefig(file, format="png")


def _explain(sheet: "Figure", first: Sequence["Axes"], ladders: Sequence["Axes"]) -> None:
    """One legend for all columns under them, where it hides nothing."""
    known: dict[str, Artist] = {}
    for axes in (*first, *ladders):
        known |= {label: handle for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    sheet.legend(list(known.values()), list(known), loc="outside lower center", ncols=4, fontsize="small")


def _draw_waits(axes: "Axes", figures: Figures, axis: Axis) -> None:
    """The median as a line, and a band up to the 95th of a hundred."""
    for priority, colour in _COLOURS.items():
        waits = waits_of(figures.classes[priority], axis)
        if waits.pieces:
            hours = [axis.hour(piece) for piece in waits.pieces]
            # In this order, so that what is not a number stays so and leaves a gap.
            p50, p95 = ([max(wait, _LEAST_SHOWN_SECONDS) for wait in each] for each in (waits.p50, waits.p95))
            axes.plot(hours, p50, color=colour, marker=".", markersize=2, label=f"{priority}, median to p95")
            axes.fill_between(hours, p50, p95, color=colour, alpha=0.2, linewidth=0)
    axes.set_yscale("log")
    axes.set_yticks([1, 10, 60, 600, 3600, 36_000])
    axes.yaxis.set_major_formatter(lambda seconds, _: duration(seconds))
    axes.yaxis.minorticks_off()
    axes.grid(alpha=0.3)


def _draw_requests(axes: "Axes", result: Result, axis: Axis) -> None:
    """As they were answered, and what the quota allows."""
    rates = requests_a_minute(result.figures, axis)
    quota = result.run.scenario.quota
    axes.fill_between(
        [axis.hour(piece) for piece in rates], list(rates.values()), color="#5d6d7e", alpha=0.6, linewidth=0
    )
    axes.axhline(quota.requests * 60.0 / quota.per_seconds, color="#1c2833", linestyle=":", label="quota")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)


def _draw_levels(axes: "Axes", figures: Figures, axis: Axis) -> None:
    """The share of each step of the ladder, in a hundred."""
    levels = levels_of(figures, axis)
    hours = [axis.hour(piece) for piece in levels.pieces]
    names = ["the most personal", *(f"coarser, step {level}" for level in range(1, len(levels.shares)))]
    colours = [_LEVEL_COLOURS[min(level, len(_LEVEL_COLOURS) - 1)] for level in range(len(levels.shares))]
    if hours:
        shares = [[100.0 * share for share in level] for level in levels.shares]
        axes.stackplot(hours, *shares, labels=names, colors=colours)
    axes.set_ylim(0, 100)
    axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0f} %")
