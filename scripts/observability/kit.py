"""What the dashboards are made of: panels as data, and the one place that knows Grafana's builders."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from grafana_foundation_sdk.builders import bargauge, common, dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

DATA_SOURCE = common_models.DataSourceRef(type_val="prometheus", uid="${datasource}")
TAGS = ["vestnik"]
LANES = 'job=~"$job",lane=~"$lane"'
PROCESSES = 'job=~"$job"'

# What is asked once, for the end of what is shown.
INSTANT = {
    "table": PromQueryFormat.TABLE,
    "bars": PromQueryFormat.TIME_SERIES,
    "number": PromQueryFormat.TIME_SERIES,
}
Kind = Literal["lines", "stacked", "steps", "number", "bars", "table"]
Panel = timeseries.Panel | stat.Panel | bargauge.Panel | table.Panel


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL expression, and how its series are called."""

    expr: str
    legend: str = "{{lane}}"


@dataclass(frozen=True, slots=True)
class Chart:
    """A panel. `unit`: as Grafana names units; `width` in twenty-fourths; `limits`: from where it is orange, then red;
    `may_be_empty`: it has no data while nothing goes wrong."""

    title: str
    about: str
    queries: tuple[Query, ...]
    unit: str = "short"
    kind: Kind = "lines"
    width: int = 12
    height: int = 8
    limits: tuple[float, ...] = ()
    may_be_empty: bool = False


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard: rows of charts."""

    uid: str
    title: str
    about: str
    rows: tuple[tuple[str, tuple[Chart, ...]], ...]
    routes: bool = field(default=False)

    def charts(self) -> list[Chart]:
        return [chart for _, charts in self.rows for chart in charts]


def rendered(board: Board) -> str:
    """The dashboard as Grafana imports it."""
    builder = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.about)
        .tags(TAGS)
        .editable()
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .refresh("30s")
        .time("now-6h", "now")
        .timezone("browser")
        .link(dashboard.DashboardLink("Vestnik").type(models.DashboardLinkType.DASHBOARDS).tags(TAGS).keep_time(True))
    )
    for variable in _variables(board):
        builder.with_variable(variable)
    for title, charts in board.rows:
        builder.with_row(dashboard.Row(title))
        for chart in charts:
            builder.with_panel(_panel(chart))
    return JSONEncoder(sort_keys=True, indent=2).encode(builder.build()) + "\n"


def _variables(board: Board) -> list[Any]:
    shown = [
        dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"),
        _asked("job", "Job", "label_values(vestnik_build_info, job)"),
        _asked("lane", "Lane", 'label_values(vestnik_lane_info{job=~"$job"}, lane)'),
    ]
    if board.routes:
        shown.append(_asked("route", "Route", f"label_values(vestnik_route_info{{{LANES}}}, route)"))
    return shown


def _asked(name: str, label: str, query: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(DATA_SOURCE)
        .query(query)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
    )


def _panel(chart: Chart) -> Panel:
    panel = _shape(chart)
    panel.title(chart.title).description(chart.about).datasource(DATA_SOURCE).unit(chart.unit)
    panel.span(chart.width).height(chart.height)
    for number, query in enumerate(chart.queries):
        panel.with_target(_target(chart, query, chr(ord("A") + number)))
    if chart.limits:
        panel.thresholds(_thresholds(chart.limits))
    return panel


def _shape(chart: Chart) -> Panel:
    match chart.kind:
        case "number":
            return stat.Panel().graph_mode(common_models.BigValueGraphMode.NONE).reduce_options(_last())
        case "bars":
            return bargauge.Panel().orientation(common_models.VizOrientation.HORIZONTAL).reduce_options(_last())
        case "table":
            return table.Panel()
        case "lines" | "stacked" | "steps":
            return _lines(chart.kind)


def _lines(kind: Kind) -> timeseries.Panel:
    panel = (
        timeseries.Panel()
        .line_width(1)
        .fill_opacity(10)
        .show_points(common_models.VisibilityMode.NEVER)
        .tooltip(common.VizTooltipOptions().mode(common_models.TooltipDisplayMode.MULTI))
        .legend(
            common.VizLegendOptions()
            .show_legend(True)
            .display_mode(common_models.LegendDisplayMode.LIST)
            .placement(common_models.LegendPlacement.BOTTOM)
        )
    )
    if kind == "stacked":
        panel.fill_opacity(60).stacking(common.StackingConfig().mode(common_models.StackingMode.NORMAL))
    if kind == "steps":
        panel.line_interpolation(common_models.LineInterpolation.STEP_AFTER)
    return panel


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).values(False)


def _target(chart: Chart, query: Query, ref: str) -> prometheus.Dataquery:
    target = prometheus.Dataquery().expr(query.expr).legend_format(query.legend).ref_id(ref)
    return target.instant().format(INSTANT[chart.kind]) if chart.kind in INSTANT else target.range()


def _thresholds(limits: Sequence[float]) -> dashboard.ThresholdsConfig:
    colours = ("green", "orange", "red")
    steps = [
        models.Threshold(value=value, color=colour) for value, colour in zip((None, *limits), colours, strict=False)
    ]
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps)
