// Each plugin's release: since when it runs, what ran before, and the ways to another one.

import { json } from "./api.js";
import { changeButton, confirmed } from "./change.js";
import { byId, h, keyed, text } from "./dom.js";
import { bytes, moment } from "./format.js";
import { Table } from "./table.js";

/** Entries shown of a plugin's history. */
const MOST = 50;

/** Plugin → its history, the newest first. */
const histories = new Map();
const tables = new WeakMap();
/** For what the histories were asked. */
let asked = null;
let latest = null;

const pathOf = (plugin, what) => `/api/v1/plugins/${encodeURIComponent(plugin)}/${what}`;
const short = (release) => release?.slice(0, 12) || "–";

export function showReleases(pipeline) {
  latest = pipeline;
  const { reloads, started_at, plugins } = pipeline;
  const now = JSON.stringify([reloads, started_at, plugins.map((p) => p.name)]);
  if (now !== asked && reloads?.outcome !== "running") load(now, plugins);
  draw();
}

async function load(now, plugins) {
  asked = now;
  try {
    const answers = await Promise.all(plugins.map((p) => json(pathOf(p.name, "releases"))));
    if (asked !== now) return;
    histories.clear();
    plugins.forEach((p, i) => histories.set(p.name, answers[i].history.reverse()));
    draw();
  } catch {
    // The next status asks again.
    asked = null;
  }
}

function draw() {
  byId("releases").hidden = latest.plugins.length === 0;
  keyed(byId("releases"), latest.plugins, (p) => p.name, make, update);
}

/** What ran before the release that runs; null: nothing that is known. */
function before({ name, release }) {
  const entry = histories.get(name)?.find((e) => e.release === release && e.previous);
  return entry && entry.previous !== release ? entry.previous : null;
}

function make({ name }) {
  const chooser = h("input", { type: "file", accept: ".wasm,application/wasm", "aria-label": `A release of ${name}`, hidden: true });
  chooser.addEventListener("change", () => run(name, chooser));
  const toggle = h("button", { type: "button", class: "button", "aria-expanded": "false" }, "History");
  const history = h("div", { class: "history", hidden: true });
  toggle.addEventListener("click", () => {
    history.hidden = !history.hidden;
    toggle.setAttribute("aria-expanded", String(!history.hidden));
  });
  const actions = h("div", { class: "actions" }, toggle,
    changeButton("Roll back", "Run what ran before", () => rollBack(name)),
    changeButton("Run another release…", "Run a .wasm file of yours in place of the plugin's file", () => chooser.click()),
    chooser);
  const line = h("div", { class: "release" }, h("strong", {}, name), copyButton(name), h("span", { class: "since muted" }), actions);
  const item = h("li", {}, line, history);
  tables.set(item, new Table(history, `Releases of ${name}`, HISTORY, () => "Nothing is known of what ran before."));
  return item;
}

function update(item, plugin) {
  const history = histories.get(plugin.name) ?? [];
  const [, copied, since, actions] = item.firstChild.children;
  showCopied(copied, plugin.release);
  const now = history.find((entry) => entry.release === plugin.release);
  text(since, now ? `since ${moment(Date.parse(now.at))} · ${now.trigger}` : "no history: built in, or this run keeps none");
  since.title = now?.at ?? "";
  const [toggle, back, another] = actions.children;
  toggle.hidden = another.hidden = !now;
  back.hidden = !before(plugin);
  text(toggle, `History (${history.length})`);
  tables.get(item).update(history.slice(0, MOST), (entry) => `${entry.at} ${entry.release}`);
}

const HISTORY = [
  { label: "Since", class: "when", cell: (e) => moment(Date.parse(e.at)) },
  { label: "Release", class: "code", cell: (e) => short(e.release) },
  { label: "Before", class: "code", cell: (e) => short(e.previous) },
  { label: "Asked for by", class: "wide", cell: (e) => e.trigger },
];

function rollBack(name) {
  const plugin = latest.plugins.find((p) => p.name === name);
  const to = plugin && before(plugin);
  if (!to) return;
  confirmed({
    title: `Roll back ${name}?`,
    words: [`From ${short(plugin.release)}, which runs now, to ${short(to)}, which ran before.`,
      "It takes its place in every task between two batches, or in none. It stays until the plugin's file is written anew."],
    action: "Roll back",
    path: pathOf(name, "rollback"),
  });
}

async function run(name, chooser) {
  const [file] = chooser.files;
  // So that the same file can be chosen again.
  chooser.value = "";
  const plugin = latest.plugins.find((p) => p.name === name);
  if (!file || !plugin) return;
  const release = await digest(file);
  confirmed({
    title: `Run another release of ${name}?`,
    words: [`${file.name}, ${bytes(file.size)}${release ? `, release ${short(release)}` : ""}, in place of ${short(plugin.release)}, which runs now.`,
      "It is built and verified first, and takes its place in every task between two batches, or in none. It stays until the plugin's file is written anew."],
    action: "Run it",
    path: pathOf(name, "releases"),
    body: file,
  });
}

/** The sha256 of a file; null where the browser does not tell (a plain address of the network). */
async function digest(file) {
  try {
    const sum = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
    return [...new Uint8Array(sum)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  } catch {
    return null;
  }
}

function copyButton(name) {
  const button = h("button", { type: "button", class: "copy", "aria-label": `Copy the release of ${name}` });
  button.addEventListener("click", () => copy(button));
  return button;
}

function showCopied(button, release) {
  if (button.dataset.release === release) return;
  button.dataset.release = release;
  button.title = `sha256 ${release}: click to copy`;
  text(button, short(release));
}

async function copy(button) {
  try {
    await navigator.clipboard.writeText(button.dataset.release);
    text(button, "copied");
  } catch {
    text(button, "not copied");
  }
  setTimeout(() => text(button, short(button.dataset.release)), 1500);
}
