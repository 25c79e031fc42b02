"""The admin page that a person can read: plain HTML without scripts, made anew from the state at each request."""

from typing import Any

import jinja2

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="refresh" content="5">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Vestnik</title>
<style>{{ style }}</style>
</head>
<body>
<h1>Vestnik</h1>
<p>Up for {{ report.uptime_seconds | span }}{% if report.draining %}, stopping{% endif %}.
{{ "Ready." if report.ready else "Not ready." }} <a href="/api/state">JSON</a> · <a href="/metrics">metrics</a></p>
{% for name, lane in report.lanes.items() %}
<section>
<h2>{{ name }}
<small>{{ lane.provider }}, {{ lane.mode }}, {{ lane.state }}
{%- if lane.epoch %}, epoch {{ lane.epoch }}{% endif %}</small>
</h2>
{% for each in lane.blocked %}
<p class="bad">Blocked for {{ each.seconds | span }}: <b>{{ each.reason }}</b> {{ each.detail }}</p>
{% endfor %}
{% for each in lane.streams %}
<p class="bad">{{ each.stream }} in trouble for {{ each.seconds | span }}:
<b>{{ each.reason }}</b> {{ each.detail }}</p>
{% endfor %}
{% if lane.holds is defined %}
<table>
<tr><th>waiting</th><th>parked</th><th>groups</th><th>oldest</th><th>to clear</th><th>in flight</th><th>in doubt</th>
<th>quota</th><th>held by</th><th>lag</th><th>told last minute</th></tr>
<tr><td>{{ lane.waiting }}</td><td>{{ lane.parked }}</td><td>{{ lane.groups }}</td>
<td>{{ lane.oldest_waiting_seconds | span }}</td>
<td>{{ lane.seconds_to_clear | span }}</td><td>{{ lane.in_flight }}</td><td>{{ lane.in_doubt }}</td>
<td>{% if lane.quota_requests %}{{ lane.quota_used }} of {{ lane.quota_requests }}{% else %}none{% endif %}</td>
<td>{{ lane.holds }}</td><td>{{ lane.lag_records }} ({{ lane.lag_seconds | span }})</td>
<td>{{ lane.told_last_minute }}</td></tr>
</table>
{% endif %}
<p>Outcomes: {% for name, count in lane.outcomes.items() %}{{ name }} {{ count }}{{ ", " if not loop.last }}
{% else %}none yet{% endfor %}.
Dead letters: {% for name, count in lane.dead_letters.items() %}{{ name }} {{ count }}{{ ", " if not loop.last }}
{% else %}none{% endfor %}.</p>
{% if lane.pushes %}
<table>
<tr><th>ago</th><th>route</th><th>wording</th><th>people</th><th>message</th></tr>
{% for push in lane.pushes[:10] %}
<tr><td>{{ (report.now - push.at) | span }}</td><td>{{ push.route }}</td><td>{{ push.wording }}</td>
<td>{{ push.recipients }} ({{ push.to | join(" ") }})</td><td><b>{{ push.title }}</b> {{ push.text }}</td></tr>
{% endfor %}
</table>
{% endif %}
</section>
{% else %}
<p>No lanes.</p>
{% endfor %}
</body>
</html>
"""

STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1b1f24}"
    "h1{font-size:1.4rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}small{font-weight:normal;color:#555}"
    "table{border-collapse:collapse;margin:.5rem 0}th,td{text-align:left;padding:.15rem .8rem .15rem 0;"
    "vertical-align:top}th{color:#555;font-weight:normal}.bad{color:#a40000}"
)


def spelt(seconds: float) -> str:
    """A span in its two largest units: "3 h 20 min", "45 s"."""
    whole = max(0, round(seconds))
    for unit, size, below, part in (("d", 86_400, "h", 3_600), ("h", 3_600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size} {unit}" + (f" {rest} {below}" if rest else "")
    return f"{whole} s"


_environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
_environment.filters["span"] = spelt
_template = _environment.from_string(_PAGE)


def render_page(report: dict[str, Any]) -> str:
    """The page of a `State.report()`."""
    return _template.render(report=report, style=STYLE)
