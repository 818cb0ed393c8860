// Wasmill plugins in JavaScript.
//
//     import { boolean, float, reject, text } from "./wasmill.js";
//
//     export default class AddTax {
//       static reads = { amount: float("data.amount"), coupon: text("data.coupon").optional() };
//       static writes = { gross: float().unit("EUR"), discounted: boolean() };
//       constructor(config) { this.tax = config.tax; }
//       transform(order) { return { gross: order.amount * (1 + this.tax), discounted: order.coupon !== null }; }
//     }
//
// What `console.log` prints goes to Wasmill's log. Integers are numbers, exact to 2^53.

// --- Declarations

class Field {
  constructor(kind, path) {
    Object.assign(this, { kind, path, isOptional: false, isList: false, role: "field", unitName: "", text: "", column: "" });
  }
  /** May be missing or null. */
  optional() { this.isOptional = true; return this; }
  /** An array of these. */
  list() { this.isList = true; return this; }
  /** A row's field that becomes a tag of its point. */
  tag() { this.role = "tag"; return this; }
  /** A row's field that replaces the event's time. */
  time() { this.role = "time"; return this; }
  unit(name) { this.unitName = name; return this; }
  doc(text) { this.text = text; return this; }
  /** The column's name, if it is not the property's. */
  named(name) { this.column = name; return this; }
}

/** A field of an event, found at `path` (its own name unless given), or of a row. */
export const boolean = (path) => new Field("boolean", path);
export const integer = (path) => new Field("integer", path);
export const float = (path) => new Field("float", path);
export const text = (path) => new Field("text", path);
export const bytes = (path) => new Field("bytes", path);
/** Nanoseconds since 1970-01-01 UTC. */
export const timestamp = (path) => new Field("timestamp", path);
/** Any value, parsed. */
export const json = (path) => new Field("json", path);

/** Reject this row: it goes to the dead letters with this reason, and the rest goes on. In `add`, before anything has changed. */
export function reject(reason) {
  throw new Reject(reason);
}

class Reject {
  constructor(reason) { this.reason = String(reason); }
}

/** Several outputs: `static writes = outputs({ out: {..}, alerts: {..} })`; rows are then `{ alerts: {..} }`. */
export const outputs = (byName) => new Outputs(byName);

class Outputs {
  constructor(byName) { this.byName = byName; }
}

// --- Columns to values

function decodeUtf8(data, start, end) {
  let out = "";
  for (let i = start; i < end;) {
    const a = data[i++];
    if (a < 0x80) out += String.fromCharCode(a);
    else if (a < 0xe0) out += String.fromCharCode(((a & 31) << 6) | (data[i++] & 63));
    else if (a < 0xf0) out += String.fromCharCode(((a & 15) << 12) | ((data[i++] & 63) << 6) | (data[i++] & 63));
    else out += String.fromCodePoint(((a & 7) << 18) | ((data[i++] & 63) << 12) | ((data[i++] & 63) << 6) | (data[i++] & 63));
  }
  return out;
}

function encodeUtf8(out, text) {
  for (let i = 0; i < text.length; i++) {
    let c = text.charCodeAt(i);
    if (c < 0x80) { out.push(c); continue; }
    if (c < 0x800) { out.push(0xc0 | (c >> 6), 0x80 | (c & 63)); continue; }
    if (c >= 0xd800 && c < 0xe000) {
      const next = text.charCodeAt(i + 1);
      if (c < 0xdc00 && next >= 0xdc00 && next < 0xe000) { c = 0x10000 + ((c & 1023) << 10) + (next & 1023); i++; }
      // Half a pair is no character.
      else c = 0xfffd;
    }
    if (c < 0x10000) out.push(0xe0 | (c >> 12), 0x80 | ((c >> 6) & 63), 0x80 | (c & 63));
    else out.push(0xf0 | (c >> 18), 0x80 | ((c >> 12) & 63), 0x80 | ((c >> 6) & 63), 0x80 | (c & 63));
  }
}

function texts({ ends, data }) {
  const values = new Array(ends.length);
  const ascii = asAscii(data);
  let start = 0;
  for (let row = 0; row < values.length; row++) {
    const end = ends[row];
    values[row] = ascii !== null ? ascii.slice(start, end) : decodeUtf8(data, start, end);
    start = end;
  }
  return values;
}

/** All of it as one string, cut later at no cost; `null` if it has other characters. */
function asAscii(data) {
  let whole = "";
  for (let start = 0; start < data.length; start += 8192) {
    const part = String.fromCharCode.apply(null, data.subarray(start, start + 8192));
    if (/[^\x00-\x7f]/.test(part)) return null;
    whole += part;
  }
  return whole;
}

function valuesOf(values, kind) {
  const held = values.val;
  switch (values.tag) {
    case "booleans": return Array.from(held, (byte) => byte !== 0);
    case "integers": return Array.from(held, Number);
    case "texts": {
      const read = texts(held);
      // A null is an empty text.
      return kind === "json" ? read.map((text) => (text === "" ? null : JSON.parse(text))) : read;
    }
    case "blobs": return held.ends.map((end, row) => held.data.slice(row === 0 ? 0 : held.ends[row - 1], end));
    case "dictionary": {
      const words = texts(held.values);
      return Array.from(held.codes, (code) => words[code]);
    }
    default: return held;
  }
}

function column(columns, at, kind) {
  let values;
  if (columns[at].values.tag === "lists") {
    const elements = valuesOf(columns[at + 1].values, kind);
    const ends = columns[at].values.val;
    values = Array.from(ends, (end, row) => elements.slice(row === 0 ? 0 : ends[row - 1], end));
  } else {
    values = valuesOf(columns[at].values, kind);
  }
  const valid = columns[at].valid;
  return valid.length === 0 ? values : Array.from(values, (value, row) => (valid[row] ? value : null));
}

/** A function that makes the event of a row. */
function events(reads, columns) {
  const names = Object.keys(reads);
  let at = 0;
  const read = names.map((name) => {
    const values = column(columns, at, reads[name].kind);
    at += reads[name].isList ? 2 : 1;
    return values;
  });
  return (row) => {
    const event = {};
    for (let i = 0; i < names.length; i++) event[names[i]] = read[i][row];
    return event;
  };
}

// --- Values to columns

const EMPTY = { boolean: false, integer: 0, timestamp: 0, float: 0, text: "", bytes: [], json: "" };

function pack(values, write) {
  const data = [], ends = [];
  for (const value of values) {
    write(data, value);
    ends.push(data.length);
  }
  return { ends, data: new Uint8Array(data) };
}

function lower(kind, values) {
  switch (kind) {
    case "boolean": return { tag: "booleans", val: new Uint8Array(values.map((value) => (value ? 1 : 0))) };
    case "integer": case "timestamp": return { tag: "integers", val: values };
    case "float": return { tag: "floats", val: values };
    case "bytes": return { tag: "blobs", val: pack(values, (data, value) => value.forEach((byte) => data.push(byte))) };
    case "json": return { tag: "texts", val: pack(values, (data, value) => encodeUtf8(data, value === "" ? "" : JSON.stringify(value))) };
    default: return { tag: "texts", val: pack(values, (data, value) => encodeUtf8(data, String(value))) };
  }
}

function write(fields, rows) {
  const columns = [];
  for (const [name, field] of Object.entries(fields)) {
    let valid = new Uint8Array(0);
    let values = rows.map((row) => row[name] ?? null);
    if (values.includes(null)) {
      valid = new Uint8Array(values.map((value) => (value === null ? 0 : 1)));
      values = values.map((value) => value ?? (field.isList ? [] : EMPTY[field.kind]));
    }
    if (field.isList) {
      let end = 0;
      columns.push({ values: { tag: "lists", val: values.map((value) => (end += value.length)) }, valid });
      values = values.flat();
      valid = new Uint8Array(0);
    }
    columns.push({ values: lower(field.kind, values), valid });
  }
  return columns;
}

/** Rows of a call, by output, with their origins. */
class Rows {
  constructor(outputs) {
    this.outputs = outputs;
    this.rows = outputs.map(() => []);
    this.origins = outputs.map(() => []);
  }
  put(origin, result) {
    if (result === null || result === undefined || result === false) return;
    for (const row of Array.isArray(result) ? result : [result]) {
      if (this.outputs.length === 1) this.add(0, origin, row);
      else for (const name of Object.keys(row)) this.add(this.outputs.findIndex((output) => output.name === name), origin, row[name]);
    }
  }
  add(place, origin, row) {
    this.rows[place].push(row);
    this.origins[place].push(origin);
  }
  emitted(inputs) {
    return this.outputs.map(({ fields }, place) => {
      const origins = this.origins[place];
      // One row for each input needs no origins.
      const plain = origins.length === inputs && origins.every((origin, row) => origin === row);
      return { count: origins.length, origins: plain ? [] : origins, columns: write(fields, this.rows[place]) };
    });
  }
}

// --- The contract

function outputsOf(writes) {
  if (writes instanceof Outputs) return Object.entries(writes.byName).map(([name, fields]) => ({ name, fields }));
  return [{ name: "out", fields: writes ?? {} }];
}

function descriptor(plugin, about, extending) {
  const reads = Object.entries(plugin.reads ?? {}).map(([name, field]) => ({
    name, path: field.path ?? name, kind: field.kind, optional: field.isOptional, repeated: field.isList, dictionary: false,
  }));
  const outputs = outputsOf(plugin.writes).map(({ name, fields }) => ({
    name,
    extends: extending && plugin.extends !== false,
    fields: Object.entries(fields).map(([name, field]) => ({
      name: field.column || name, kind: field.kind, optional: field.isOptional, repeated: field.isList,
      role: field.role, unit: field.unitName, doc: field.text,
    })),
  }));
  return { ...about, reads, outputs, options: [] };
}

/** A refusal or a failure of a call, in the words of the error. */
function failed(error) {
  return new Error(error instanceof Reject ? error.reason : String(error?.message ?? error));
}

function reasonOf(error) {
  return error instanceof Reject ? error.reason : `${error?.name ?? "Error"}: ${error?.message ?? error}`;
}

/** The exports of a transformer: a class, constructed with the configuration. */
export function transformer(Plugin, about) {
  const outputs = outputsOf(Plugin.writes);
  let plugin = null;
  const transform = {
    configure(config) {
      try { plugin = new Plugin(JSON.parse(config)); } catch (error) { throw failed(error); }
      return descriptor(Plugin, about, true);
    },
    transform({ rows: count, columns }) {
      const event = events(Plugin.reads ?? {}, columns);
      const rows = new Rows(outputs), rejects = [];
      for (let row = 0; row < count; row++) {
        try { rows.put(row, plugin.transform(event(row))); } catch (error) { rejects.push({ row, reason: reasonOf(error) }); }
      }
      return { outputs: rows.emitted(count), rejects };
    },
  };
  return { transform };
}

/** The exports of an aggregator: a class whose objects are states. Its own properties are what is stored. */
export function aggregator(Plugin, about) {
  const outputs = outputsOf(Plugin.writes);
  const version = Plugin.version ?? 1;
  const slots = new Map();
  let config = {};
  const stateOf = (slot) => {
    let state = slots.get(slot);
    if (state === undefined) slots.set(slot, (state = new Plugin(config)));
    return state;
  };
  const aggregate = {
    configure(text) {
      try { config = JSON.parse(text); Plugin.check?.(config); new Plugin(config); } catch (error) { throw failed(error); }
      return descriptor(Plugin, about, false);
    },
    accumulate({ columns }, rows, into) {
      const event = events(Plugin.reads ?? {}, columns), rejects = [];
      for (let pair = 0; pair < into.length; pair++) {
        const row = rows.length === 0 ? pair : rows[pair];
        try { stateOf(into[pair]).add(event(row)); } catch (error) {
          // What another error had changed of the state is not known.
          if (!(error instanceof Reject)) throw failed(error);
          rejects.push({ row, reason: error.reason });
        }
      }
      return rejects;
    },
    merge(into, other) {
      for (let pair = 0; pair < into.length; pair++) {
        const from = slots.get(other[pair]);
        if (from !== undefined) stateOf(into[pair]).merge(from);
      }
    },
    emit(wanted, windows, keys, firing) {
      const read = keys.map((_, at) => column(keys, at, "")), rows = new Rows(outputs);
      for (let at = 0; at < wanted.length; at++) {
        const { start, end } = windows[windows.length === 1 ? 0 : at];
        const state = slots.get(wanted[at]) ?? new Plugin(config);
        rows.put(at, state.emit({ start, end, key: read.map((values) => values[at]), firing }));
      }
      return { outputs: rows.emitted(wanted.length), rejects: [] };
    },
  };
  const state = {
    versions: () => ({ writes: version, restores: Plugin.restores ?? [version] }),
    snapshot: (wanted) => pack(wanted, (data, slot) => {
      const held = slots.get(slot) ?? new Plugin(config);
      encodeUtf8(data, JSON.stringify(held.snapshot ? held.snapshot() : { ...held }));
    }),
    restore(wanted, from, states) {
      const read = texts(states);
      for (let at = 0; at < wanted.length; at++) {
        const fresh = new Plugin(config), stored = JSON.parse(read[at]);
        if (fresh.restore) fresh.restore(from, stored);
        else if (from === version) Object.assign(fresh, stored);
        else throw new Error(`version ${from} of the state is not known`);
        slots.set(wanted[at], fresh);
      }
    },
    forget(wanted) { for (const slot of wanted) slots.delete(slot); },
  };
  return { aggregate, state };
}
