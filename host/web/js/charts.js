// All measurements: which there are, the range they share, and what keeps them moving.

import { json } from "./api.js";
import { Chart } from "./chart.js";
import { byId, h } from "./dom.js";
import { clock } from "./format.js";

const RANGES = [["5 m", 300], ["15 m", 900], ["1 h", 3600], ["6 h", 21600]];
const KEPT = "wasmill-range";
/** Between two looks for new measurements and for averaged series. */
const REFRESH_MS = 15_000;

const charts = new Map();
let latest = null;
let clockOffset = 0;

const range = {
  seconds: 300,
  to: () => (Date.now() + clockOffset) / 1000,
  from() {
    return this.to() - this.seconds;
  },
};

export function startCharts() {
  const kept = Number(localStorage.getItem(KEPT));
  if (RANGES.some(([, s]) => s === kept)) range.seconds = kept;
  for (const [name, seconds] of RANGES) {
    const choose = () => {
      range.seconds = seconds;
      localStorage.setItem(KEPT, seconds);
      markRange();
      charts.forEach((chart) => chart.load());
    };
    byId("range").append(h("button", { type: "button", dataset: { seconds }, onclick: choose }, name));
  }
  markRange();
  setInterval(() => document.hidden || charts.forEach((chart) => chart.draw()), 1000);
  setInterval(() => document.hidden || refresh(), REFRESH_MS);
}

function markRange() {
  for (const button of byId("range").children) {
    button.setAttribute("aria-pressed", String(Number(button.dataset.seconds) === range.seconds));
  }
}

/** Asks what there is; loads what is new or averaged. With `all`, everything: points may have been missed. */
export async function refresh(all = false) {
  let answer;
  try {
    answer = await json("/api/v1/measurements");
  } catch {
    return;
  }
  if (!answer.store || answer.measurements.length === 0) {
    byId("charts").replaceChildren(nothing(answer.store));
    charts.clear();
    return;
  }
  if (charts.size === 0) byId("charts").replaceChildren();
  for (const measurement of answer.measurements) {
    let chart = charts.get(measurement.name);
    const fresh = !chart;
    if (fresh) {
      chart = new Chart(measurement, range, explain);
      charts.set(measurement.name, chart);
      byId("charts").append(chart.element);
    } else {
      chart.describe(measurement);
    }
    if (fresh || all || chart.step) chart.load();
  }
}

function nothing(store) {
  if (store) return h("p", { class: "card empty" }, "No route writes to the local store: name its sink in a route's ", h("code", {}, "to"), ".");
  const example = '[sinks.charts]\ntype = "local"\n\n[routes.NAME]\nto = ["charts"]';
  return h("div", { class: "card empty" },
    h("p", {}, "This pipeline keeps no points here: its results are in its sinks. To see them drawn on this page as well, add a local sink and name it in a route:"),
    h("pre", {}, example));
}

/** New points; measurements that nobody knew are looked up. */
export function addPoints({ points, left_out }) {
  if (left_out) refresh(true);
  const byName = Map.groupBy(points, (p) => p.measurement);
  for (const [name, some] of byName) {
    if (charts.has(name)) charts.get(name).add(some);
    else if (charts.size || byId("charts").childElementCount) refresh();
  }
}

export function showStatus(pipeline) {
  latest = pipeline;
  clockOffset = Date.parse(pipeline.now) - Date.now();
}

export const repaint = () => charts.forEach((chart) => chart.repaint());

/** Why a chart has no point yet. */
function explain(measurement) {
  const source = latest?.sources.find((s) => s.name === measurement.source);
  if (!source) return `No points in this range.${measurement.last ? ` The newest is of ${clock(Date.parse(measurement.last))}.` : ""}`;
  if (source.fault) return `No points yet: source ${source.name} waits. ${source.fault}`;
  const marks = source.partitions.filter((p) => p.watermark && !p.idle).map((p) => Date.parse(p.watermark));
  if (marks.length === 0) return `No points yet: no event has come from ${source.topics.join(", ")}.`;
  if (measurement.last) return `No points in this range. The newest is of ${clock(Date.parse(measurement.last))}.`;
  const mark = Math.min(...marks);
  const step = measurement.step_seconds * 1000;
  if (!step) return `No points yet: no window has closed. The watermark is at ${clock(mark)}.`;
  const closes = Math.ceil((mark + 1) / step) * step;
  return `No points yet: the next window closes when event time passes ${clock(closes)}. The watermark is at ${clock(mark)}.`;
}
