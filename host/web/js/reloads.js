// The latest reloads, the newest first: what changed, each step, and why one was refused. They hold a compiler's words: text only.

import { json } from "./api.js";
import { byId, h, keyed, text } from "./dom.js";
import { moment, seconds } from "./format.js";

/** Between two looks while a reload is under way. */
const LOOK_MS = 300;
/** Shown until more are asked for. */
const FEW = 6;
const TONES = { running: "note", changed: "good", unchanged: "", refused: "bad" };
const STEPS = ["build", "verify", "assemble", "swap", "keep"];
const NONE = "Nothing was reloaded since the start. Save the configuration or a plugin's file, send SIGHUP, or press Reload: "
  + "what is new is built beside what runs and takes its place in every task, or in none.";

let reports = [];
let looking = null;
let watchers = 0;
let timer = null;
let all = false;

export function startReloads() {
  text(byId("reloads-empty"), NONE);
  byId("reloads-more").addEventListener("click", () => {
    all = !all;
    draw();
  });
}

/** The status says which reload is the newest; the list is asked for when that is not what is shown. */
export function showReloads({ reloads }) {
  const shown = reports[0];
  if (!reloads) {
    reports = [];
    draw();
  } else if (shown?.number !== reloads.number || shown.outcome !== reloads.outcome) {
    look();
  }
}

/** Looks again and again, until the function it returns is called and nothing is under way. */
export function watchReloads() {
  watchers += 1;
  look();
  return () => {
    watchers -= 1;
    look();
  };
}

async function look() {
  clearTimeout(timer);
  looking ??= json("/api/v1/reloads").catch(() => null);
  const answer = await looking;
  looking = null;
  if (answer) {
    reports = answer.reloads.toReversed();
    draw();
  }
  clearTimeout(timer);
  if (watchers || reports[0]?.outcome === "running") timer = setTimeout(look, LOOK_MS);
}

function draw() {
  byId("reloads-empty").hidden = reports.length > 0;
  const more = byId("reloads-more");
  more.hidden = reports.length <= FEW;
  text(more, all ? `Show the latest ${FEW}` : `Show all ${reports.length}`);
  const shown = all ? reports : reports.slice(0, FEW);
  keyed(byId("reloads"), shown, (r) => `${r.number} ${r.at}`, make, update);
}

/** The newest one is open, until there is a newer one. */
function make(report) {
  const newest = report === reports[0];
  if (newest) byId("reloads").querySelectorAll("details[data-newest]").forEach((old) => { old.open = false; });
  const line = [h("span", { class: "badge" }), h("span", { class: "what" }), h("span", { class: "by muted" }), h("time", { class: "muted" })];
  const reason = h("pre", { class: "diagnostic", tabindex: "0", role: "group", "aria-label": "Why it was refused" });
  const body = h("div", { class: "body" }, h("ul", { class: "changes" }), reason, h("ol", { class: "flow" }));
  const details = h("details", { dataset: newest ? { newest: "" } : {} }, h("summary", {}, ...line), body);
  details.open = newest;
  return h("li", { class: "reload" }, details);
}

function update(item, report) {
  const [badge, what, by, time] = item.querySelector("summary").children;
  item.dataset.outcome = report.outcome;
  badge.className = `badge ${TONES[report.outcome] ?? ""}`;
  text(badge, report.outcome);
  const changes = [...report.plugins.map(pluginWords), ...report.routes.map(routeWords)];
  text(what, changes.join(", ") || nothing(report));
  text(by, [report.trigger, report.outcome === "changed" && `paused ${seconds(report.pause_seconds)}`].filter(Boolean).join(" · "));
  time.dateTime = report.at;
  time.title = report.at;
  text(time, moment(Date.parse(report.at)));
  const [list, reason, flow] = item.querySelector(".body").children;
  list.hidden = changes.length < 2;
  keyed(list, changes, (change) => change, () => h("li"), text);
  reason.hidden = !report.reason;
  text(reason, report.reason ?? "");
  keyed(flow, steps(report), (step) => step.name, makeStep, updateStep);
}

const short = (release) => release?.slice(0, 12) ?? "none";

function pluginWords({ plugin, from, to }) {
  if (from === to) return `${plugin} has another configuration or other limits`;
  if (!from) return `${plugin} ${short(to)} is new`;
  return to ? `${plugin} ${short(from)} → ${short(to)}` : `${plugin} ${short(from)} is gone`;
}

/** "changed `revenue`" as "route revenue changed". */
function routeWords(words) {
  const [, verb, name] = /^(\w+) `(.*)`$/s.exec(words) ?? [];
  return name ? `route ${name} ${verb}` : words;
}

function nothing(report) {
  return { running: "Under way", unchanged: "Nothing had changed", refused: "What ran runs on" }[report.outcome] ?? "";
}

/** The steps that are done, and the one under way. */
function steps(report) {
  const done = report.steps.map((step) => ({
    name: step.name,
    time: seconds(step.seconds),
    state: step.ok ? "done" : "refused",
    // What the build found stands above already, and why a step failed in the block.
    detail: step.ok && step.name !== "build" ? step.detail : "",
  }));
  if (report.outcome === "running") done.push({ name: STEPS[done.length] ?? "…", time: "…", state: "under way", detail: "" });
  return done;
}

function makeStep() {
  return h("li", { class: "step" }, h("span", { class: "kind" }), h("span", { class: "what" }), h("span", { class: "facts" }));
}

function updateStep(item, step) {
  const [kind, what, facts] = item.children;
  item.dataset.state = step.state;
  text(kind, step.name);
  text(what, step.time);
  text(facts, step.detail ? `${step.state}: ${step.detail}` : step.state);
}
