// The routes, read from left to right: source, conditions, transformers, key and window, aggregator, sinks.

import { byId, h, keyed, text } from "./dom.js";
import { compact, rate } from "./format.js";

let before = null;

export function showRoutes(pipeline) {
  const now = Date.parse(pipeline.now);
  const elapsed = before ? (now - before.now) / 1000 : 0;
  const speed = (route, field) => {
    const then = before?.counts.get(route.name);
    return then && elapsed > 0.2 ? Math.max(0, route.figures[field] - then[field]) / elapsed : null;
  };
  keyed(byId("routes"), pipeline.routes, (r) => r.name, makeRoute, (item, route) => {
    const plugins = new Map(pipeline.plugins.map((p) => [p.name, p]));
    keyed(item.querySelector("ol"), steps(route, plugins, speed), (s) => s.key, makeStep, updateStep);
  });
  if (!before || elapsed > 0.2) before = { now, counts: new Map(pipeline.routes.map((r) => [r.name, r.figures])) };
}

function makeRoute(route) {
  const hint = {
    aligned: "The key covers what the topic is partitioned by: partitions are independent",
    exchanged: "Partitions' panes are merged by key under the lowest watermark",
  }[route.partitioning];
  const badge = route.partitioning && h("span", { class: "badge", title: hint }, route.partitioning);
  const lateness = route.lateness && route.lateness !== "0s" && h("span", { class: "muted" }, `lateness ${route.lateness}`);
  const head = h("div", { class: "route-head" }, h("h3", {}, route.name), badge, lateness);
  return h("li", { class: "card route" }, head, h("ol", { class: "flow" }));
}

function steps(route, plugins, speed) {
  const f = route.figures;
  const list = [{
    key: "from", kind: route.from.kind, name: route.from.name,
    facts: [perSecond(speed(route, "rows_in"), "in"), `${compact(f.rows_in)} rows`],
  }];
  if (route.conditions.length) {
    list.push({ key: "where", kind: "where", name: route.conditions.join(", "), facts: [`${compact(f.filtered)} left out`] });
  }
  route.transforms.forEach((name, i) => {
    const rejects = plugins.get(name)?.rejects ?? 0;
    list.push({ key: `transform ${i}`, kind: "transformer", name, facts: [`${compact(rejects)} rejected`], bad: rejects > 0 });
  });
  if (route.aggregate) {
    const key = route.key.length ? `by ${route.key.join(", ")}` : "one group";
    list.push({
      key: "window", kind: route.window, name: key,
      facts: [`${compact(f.late)} late`, `${compact(f.slots)} keys open`], bad: f.late > 0,
    });
    const closed = f.windows_on_time + f.windows_late;
    list.push({ key: "aggregate", kind: "aggregator", name: route.aggregate, facts: [`${compact(closed)} results`] });
  }
  if (route.sinks.length) {
    const measurements = [...new Set(route.sinks.map((s) => s.measurement).filter(Boolean))];
    list.push({
      key: "sinks", kind: `${route.sinks.length > 1 ? "sinks" : "sink"} · ${measurements.join(", ")}`,
      name: [...new Set(route.sinks.map((s) => s.sink))].join(", "),
      facts: [perSecond(speed(route, "rows_out"), "out"), `${compact(f.rows_out)} rows`],
    });
  }
  return list;
}

const perSecond = (n, way) => (n === null ? "– /s" : `${rate(n)} /s ${way}`);

function makeStep() {
  return h("li", { class: "step" }, h("span", { class: "kind" }), h("span", { class: "what" }), h("span", { class: "facts" }));
}

function updateStep(item, step) {
  const [kind, what, facts] = item.children;
  text(kind, step.kind);
  text(what, step.name);
  what.title = step.name;
  text(facts, step.facts.join(" · "));
  facts.classList.toggle("warn", Boolean(step.bad));
}
