// The head of the page: what runs, how it fares, the four figures.

import { byId, h, keyed, text } from "./dom.js";
import { compact, rate, seconds } from "./format.js";
import { Spark } from "./spark.js";

const TILES = [
  { field: "events_per_second", label: "Events in", unit: "per second", show: rate },
  { field: "rows_per_second", label: "Rows written", unit: "per second", show: rate },
  { field: "lag", label: "Consumer lag", unit: "events", show: compact },
  { field: "watermark_delay_seconds", label: "Watermark delay", unit: "behind the clock", show: seconds },
];

const tiles = new Map();

export function startHead() {
  for (const { field, label, unit } of TILES) {
    const value = h("span", { class: "value" }, "–");
    const spark = new Spark();
    tiles.set(field, { value, spark });
    const words = h("p", { class: "label" }, label, " ", h("span", { class: "muted" }, unit));
    byId("figures").append(h("div", { class: "tile", dataset: { figure: field } }, words, value, spark.element));
  }
}

/** Draws the minutes before the page was opened. */
export function showRecent(recent) {
  for (const { field } of TILES) tiles.get(field).spark.set(recent[field]);
}

export function showHead(pipeline) {
  document.title = `${pipeline.name} · Wasmill`;
  text(byId("name"), pipeline.name);
  text(byId("version"), pipeline.version);
  const up = (Date.parse(pipeline.now) - Date.parse(pipeline.started_at)) / 1000;
  const what = `${plural(pipeline.routes.length, "route")}, ${plural(pipeline.plugins.length, "plugin")}`;
  text(byId("meta"), `Up ${upTime(up)} · ${what}`);
  const state = byId("state");
  text(state, pipeline.state);
  state.dataset.state = pipeline.state;
  for (const { field, show } of TILES) {
    text(tiles.get(field).value, show(pipeline.rates[field]));
    tiles.get(field).spark.push(pipeline.rates[field]);
  }
  showReasons(pipeline);
}

function upTime(s) {
  return s < 60 ? `${Math.floor(s)} s` : seconds(s);
}

function plural(n, word) {
  return `${n} ${word}${n === 1 ? "" : "s"}`;
}

function showReasons(pipeline) {
  const list = byId("reasons");
  const reasons = pipeline.state === "running" ? [] : pipeline.reasons.filter((r) => r.name || r.reason !== "starting");
  list.hidden = reasons.length === 0;
  const make = () => h("li", {}, h("strong"), h("span"));
  keyed(list, reasons, (r) => `${r.kind} ${r.name}`, make, (item, r) => {
    text(item.firstChild, r.name ? `${r.kind} ${r.name}` : r.kind);
    text(item.lastChild, r.reason);
  });
}

/** The connection: said in words, and the figures fade while they are not live. */
export function showLink(state) {
  const link = byId("link");
  if (link.dataset.state === state) return;
  link.dataset.state = state;
  text(link, state === "live" ? "Live" : "Reconnecting");
  document.body.classList.toggle("stale", state !== "live");
}
