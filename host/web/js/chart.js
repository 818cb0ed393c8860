// One measurement's card: its field, its lines, its legend, or what it waits for.

import { json } from "./api.js";
import { h, keyed, text } from "./dom.js";
import { clock, compact } from "./format.js";
import { HEIGHT, plot } from "./plot.js";
import { SeriesSet, aligned } from "./series.js";

/** Points a series aims at: longer ranges are averaged by steps. */
const AIM = 720;
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600];
const KEPT = "wasmill-field:";

export class Chart {
  constructor(measurement, range, explain) {
    this.measurement = measurement;
    this.range = range;
    this.explain = explain;
    this.set = new SeriesSet();
    this.drawn = "";
    this.build();
  }

  build() {
    const { name } = this.measurement;
    this.field = h("select", { "aria-label": `Field of ${name}`, onchange: () => this.choose() });
    this.caption = h("span", { class: "caption" });
    this.window = h("span", { class: "muted" });
    this.where = h("div", { class: "plot", role: "img", "aria-label": `Chart of ${name}` });
    this.empty = h("p", { class: "waiting" }, "Loading…");
    this.legend = h("ul", { class: "legend" });
    this.note = h("p", { class: "note muted" });
    const title = h("div", { class: "chart-title" }, h("h3", {}, name), this.window);
    const head = h("div", { class: "chart-head" }, title, this.field);
    const canvas = h("div", { class: "canvas" }, this.where, this.empty);
    this.element = h("article", { class: "card chart", dataset: { measurement: name } }, head, this.caption, canvas, this.legend, this.note);
    this.where.style.height = `${HEIGHT}px`;
    new ResizeObserver(() => this.uplot?.setSize({ width: this.where.clientWidth, height: HEIGHT })).observe(this.where);
    this.describe(this.measurement);
  }

  /** Takes what the server says now of the measurement: new fields may have come. */
  describe(measurement) {
    this.measurement = measurement;
    text(this.window, measurement.window ?? "");
    const chosen = this.chosen?.name ?? localStorage.getItem(KEPT + measurement.name);
    const option = (f) => h("option", { value: f.name });
    keyed(this.field, measurement.fields, (f) => f.name, option, (o, f) => text(o, f.name));
    if (measurement.fields.some((f) => f.name === chosen)) this.field.value = chosen;
    this.field.hidden = measurement.fields.length < 2;
    this.chosen = measurement.fields.find((f) => f.name === this.field.value);
    text(this.caption, this.axis);
  }

  choose() {
    localStorage.setItem(KEPT + this.measurement.name, this.field.value);
    this.chosen = undefined;
    this.describe(this.measurement);
    this.load();
  }

  /** What the numbers are: total (USD). */
  get axis() {
    if (!this.chosen) return "";
    return this.chosen.unit ? `${this.chosen.name} (${this.chosen.unit})` : this.chosen.name;
  }

  /** Seconds between the points asked for; 0: as they are. */
  get step() {
    const wanted = this.range.seconds / AIM;
    const step = STEPS.find((s) => s >= wanted) ?? STEPS.at(-1);
    return step <= (this.measurement.step_seconds ?? 0) || this.range.seconds <= 900 ? 0 : step;
  }

  async load() {
    if (!this.chosen) return;
    const asked = (this.asked = Symbol("request"));
    const query = new URLSearchParams({
      measurement: this.measurement.name,
      field: this.chosen.name,
      from: `-${this.range.seconds}s`,
    });
    if (this.step) query.set("step", `${this.step}s`);
    try {
      const answer = await json(`/api/v1/series?${query}`);
      if (this.asked !== asked) return;
      this.set.load(answer);
      this.failed = null;
    } catch (error) {
      this.failed = error.message;
    }
    this.draw();
  }

  /** New points of this measurement. Averaged ranges are asked for again instead. */
  add(points) {
    if (this.step || !this.chosen) return;
    for (const { tags, fields, time_ms } of points) {
      const value = fields[this.chosen.name];
      if (typeof value === "number" || typeof value === "boolean") this.set.add(tags, time_ms, Number(value));
    }
  }

  draw() {
    this.set.trim(this.range.from() * 1000);
    const { series, hidden } = this.set.shown();
    this.element.dataset.points = series.reduce((n, s) => n + s.points.size, 0);
    this.element.dataset.newest = Math.max(0, ...series.map((s) => s.last.ms));
    const step = this.measurement.step_seconds ? Math.max(this.measurement.step_seconds, this.step) : null;
    const data = aligned(series, step);
    const drawn = JSON.stringify(series.map((s) => [s.slot, s.key]));
    if (drawn !== this.drawn) {
      this.uplot?.destroy();
      this.drawn = drawn;
      const range = () => [this.range.from(), this.range.to()];
      this.uplot = series.length ? plot(this.where, series, data, range, (at) => this.showAt(at)) : null;
    } else if (this.uplot) {
      this.uplot.setData(data);
    }
    this.series = series;
    const waits = this.failed ?? (series.length === 0 ? this.explain(this.measurement) : "");
    text(this.empty, waits);
    this.empty.hidden = !waits;
    this.showLegend();
    const notes = [hidden > 0 && `${hidden} more with lower last values not shown`, this.step && `mean of each ${this.step} s`];
    text(this.note, notes.filter(Boolean).join(" · "));
  }

  /** The crosshair stands at column `at` of the data; null: nowhere. */
  showAt(at) {
    this.at = at;
    this.showLegend();
  }

  showLegend() {
    const at = this.at ?? null;
    const make = () => h("li", {}, h("span", { class: "swatch" }), h("span", { class: "tags" }), h("span", { class: "number" }));
    keyed(this.legend, this.series ?? [], (s) => s.key, make, (item, s) => {
      const [swatch, tags, number] = item.children;
      swatch.dataset.slot = s.slot;
      text(tags, this.label(s.tags));
      tags.title = tags.textContent;
      const column = this.uplot?.data[this.series.indexOf(s) + 1];
      const under = at === null ? s.last.value : column?.[at];
      text(number, compact(under));
    });
    const time = at === null ? null : this.uplot?.data[0][at];
    text(this.caption, time ? `${this.axis} at ${clock(time * 1000)}` : this.axis);
  }

  label(tags) {
    const values = Object.values(tags).map((v) => v || "(empty)");
    return values.length ? values.join(" · ") : this.chosen.name;
  }

  /** After the theme changed: colours are in the canvas. */
  repaint() {
    this.drawn = "";
    if (this.series) this.draw();
  }
}
