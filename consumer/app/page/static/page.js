// Keeps the page live: the word and the lanes by server-sent events, the charts by asking every ten seconds.
"use strict";

const LOST_MS = 6000;
const CHART_MS = 10000;
const live = document.getElementById("live");
const charts = document.getElementById("charts");
let heard = Date.now();

const source = new EventSource("/events?lang=" + document.body.dataset.language);
source.addEventListener("live", (event) => {
  heard = Date.now();
  const { html, title } = JSON.parse(event.data);
  document.title = title;
  // Whoever reads along by keyboard or selects a text is not disturbed.
  if (live.contains(document.activeElement) || String(getSelection())) return;
  const scrolled = [...live.querySelectorAll(".wide")].map((each) => each.scrollLeft);
  live.innerHTML = html;
  live.querySelectorAll(".wide").forEach((each, number) => { each.scrollLeft = scrolled[number] || 0; });
});

setInterval(() => {
  if (Date.now() - heard < LOST_MS) return;
  const word = live.querySelector(".verdict");
  if (word && !word.classList.contains("lost")) {
    word.className = "verdict bad lost";
    word.querySelector(".word").textContent = document.body.dataset.lost;
  }
}, 1000);

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const lines = ["--first", "--second", "--third"];
let drawn = [];
const clock = new Intl.DateTimeFormat(document.body.dataset.language, { timeStyle: "medium", hourCycle: "h23" });
const told = (seconds) => clock.format(new Date(seconds * 1000));

function chart(title, lanes, column, at, columns) {
  const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 } };
  const series = lanes.map((lane, number) => ({ label: lane, stroke: colour(lines[number % lines.length]), width: 1.5, spanGaps: column === "oldest" }));
  return new uPlot({
    title, width: charts.clientWidth, height: 190, padding: [null, 30, null, null],
    series: [{ label: charts.dataset.time, value: (_, at) => at === null ? "--" : told(at) }, ...series],
    axes: [{ ...axis, space: 90, values: (_, at) => at.map(told) }, { ...axis, size: 60 }],
    scales: { y: { range: (_, low, high) => [0, Math.max(1, high * 1.1)] } },
  }, [at, ...lanes.map((lane) => columns[lane][column])], charts);
}

async function draw() {
  const answer = await fetch("/api/history");
  if (!answer.ok) return;
  const history = await answer.json();
  const lanes = Object.keys(history.lanes);
  drawn.forEach((each) => each.destroy());
  drawn = [["told", charts.dataset.told], ["oldest", charts.dataset.age]]
    .map(([column, title]) => chart(title, lanes, column, history.at, history.lanes));
}

const redraw = () => draw().catch(() => undefined);
redraw();
setInterval(redraw, CHART_MS);
addEventListener("resize", redraw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
