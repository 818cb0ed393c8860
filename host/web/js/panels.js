// The tables: partitions, plugins, sinks, dead letters.

import { byId, h, text } from "./dom.js";
import { bytes, clock, compact, count, day, seconds } from "./format.js";
import { Table, badges } from "./table.js";

/** What to do about a refusal, by its code, or by stage and code where that says more. */
const ADVICE = {
  malformed: "The payload is not what the source's format says. Look at the letter's value, and at its producer.",
  "not-object": "The payload is JSON, but not an object. Look at its producer.",
  "not-utf8": "The payload is not UTF-8 text. Look at its producer, or set the source's format to raw.",
  "too-large": "It is larger than what Wasmill takes; the letter's reason says the limit.",
  "too-deep": "Its JSON is nested deeper than what Wasmill takes.",
  missing: "A field that a plugin needs is absent or null. Make it Option in the plugin, or mend the producer.",
  type: "A field holds another type than the plugin reads.",
  future: "Its time is further ahead than max_ahead. Look at the producer's clock and at time_format.",
  late: "It came after its window was final. Raise out_of_orderness or the route's lateness.",
  rejected: "A plugin refused it; the letter's reason says why.",
  trap: "A plugin crashed on it; the letter holds the event and the backtrace.",
  deadline: "A plugin took longer than limits.call on it.",
  memory: "A plugin asked for more than limits.memory on it.",
  output: "A plugin returned more than limits.output for it.",
  refused: "A plugin answered with an error on it; the letter's reason is the plugin's own.",
  "sink refused": "The sink refused the point for ever; the letter holds its line.",
  "series-limit": "The sink's max_series is reached: a tag has too many values. Drop the tag or raise the limit.",
  unrepresentable: "InfluxDB's line protocol cannot hold it; the letter's reason says why.",
  invalid: "A plugin returned what the contract forbids. Its author should see the letter.",
};

const tables = {};

export function startPanels() {
  tables.partitions = new Table(byId("partitions"), "Partitions", PARTITIONS, noPartitions);
  tables.plugins = new Table(byId("plugins"), "Plugins", PLUGINS, () => "No plugins: rows are written as they are decoded.");
  tables.sinks = new Table(byId("sinks"), "Sinks", SINKS, () => "No sinks.");
  tables.refusals = new Table(byId("refusals"), "Dead letters by reason", REFUSALS, () =>
    "Nothing was refused. Events that cannot be used are counted here by stage and reason; the originals go to their source's dead-letter topic.");
}

export function showPanels(pipeline) {
  const partitions = pipeline.sources.flatMap((s) => s.partitions.map((p) => ({ ...p, source: s.name })));
  tables.partitions.update(partitions, (p) => `${p.source} ${p.topic} ${p.partition}`, pipeline);
  tables.plugins.update(pipeline.plugins, (p) => p.name);
  tables.sinks.update(pipeline.sinks, (s) => s.name);
  tables.refusals.update(pipeline.refusals, (r) => [r.source, r.route, r.stage, r.code, r.outcome].join(" "));
}

function noPartitions(pipeline) {
  const faults = pipeline.sources.filter((s) => s.fault).map((s) => `${s.name}: ${s.fault}`);
  if (faults.length) return `No partition is assigned. ${faults.join("; ")}`;
  const topics = pipeline.sources.flatMap((s) => s.topics).join(", ");
  return `No partition is assigned yet. The group joins ${topics || "its topics"}; another instance of it may hold them all.`;
}

function fillWatermark(td, p) {
  const at = p.watermark && Date.parse(p.watermark);
  if (!td.firstElementChild) td.append(h("span"), h("span", { class: "behind" }));
  text(td.firstChild, p.complete ? "complete" : at ? clock(at) : "no event yet");
  text(td.lastChild, at ? `−${seconds(p.watermark_delay_seconds)}` : "");
  td.title = p.watermark ? `${day(at)} · ${p.watermark}` : "";
}

function fillPartitionState(td, p) {
  const marks = [
    p.replaying && ["replaying", "note", "State is rebuilt from the low mark; nothing is emitted meanwhile"],
    p.paused && ["paused", "warn", "Its queue is full: fetching waits for the pipeline"],
    p.idle && ["idle", "", "Quiet: it holds no windows open"],
    p.complete && ["complete", "", "A bounded run has closed every window here"],
  ].filter(Boolean);
  badges(td, marks.length ? marks : [["reading", "good", "Events are handled as they come"]]);
}

const PARTITIONS = [
  { label: "Partition", cell: (p) => `${p.topic} / ${p.partition}` },
  { label: "Events", number: true, cell: (p) => compact(p.events) },
  { label: "Position", number: true, cell: (p) => count(p.position) },
  { label: "Committed", number: true, cell: (p) => count(p.committed) },
  { label: "Lag", number: true, cell: (p) => count(p.lag) },
  { label: "Queued", number: true, cell: (p) => bytes(p.queued_bytes) },
  { label: "Watermark", number: true, class: "wide", fill: fillWatermark },
  { label: "State", fill: fillPartitionState },
];

function fillFault(td, thing) {
  badges(td, [thing.fault ? ["fault", "bad", thing.fault] : ["ok", "good", ""]]);
}

const PLUGINS = [
  { label: "Plugin", cell: (p) => p.name },
  { label: "Kind", cell: (p) => p.kind },
  { label: "Calls", number: true, cell: (p) => compact(p.calls) },
  { label: "Rows", number: true, cell: (p) => compact(p.rows) },
  { label: "Rows a call", number: true, cell: (p) => (p.calls ? compact(p.rows / p.calls) : "–") },
  { label: "Mean", number: true, cell: (p) => seconds(p.call_mean_seconds) },
  { label: "p99", number: true, cell: (p) => seconds(p.call_p99_seconds) },
  { label: "Rejects", number: true, cell: (p) => compact(p.rejects) },
  { label: "Traps", number: true, cell: (p) => compact(p.traps) },
  { label: "Memory", number: true, cell: (p) => bytes(p.memory_bytes) },
  { label: "State", fill: fillFault },
];

const SINKS = [
  { label: "Sink", cell: (s) => s.name },
  { label: "Kind", cell: (s) => s.kind },
  { label: "Rows", number: true, cell: (s) => compact(s.rows) },
  { label: "Queued", number: true, cell: (s) => compact(s.queued_rows) },
  { label: "Retries", number: true, cell: (s) => compact(s.retries) },
  { label: "p99", number: true, cell: (s) => seconds(s.write_p99_seconds) },
  { label: "State", fill: fillFault },
];

function fillReason(td, r) {
  if (!td.firstElementChild) td.append(h("span", { class: "what" }), h("span", { class: "advice muted" }));
  text(td.firstChild, `${r.stage}: ${r.code}`);
  text(td.lastChild, ADVICE[`${r.stage} ${r.code}`] ?? ADVICE[r.code] ?? "The letter's reason tells the whole story.");
}

const REFUSALS = [
  { label: "Reason", class: "reason", fill: fillReason },
  { label: "From", class: "wide", cell: (r) => (r.route ? `${r.source} → ${r.route}` : r.source) },
  { label: "Outcome", class: "outcome", cell: (r) => r.outcome },
  { label: "Events", number: true, cell: (r) => count(r.count) },
];
