// Numbers and times for people.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const SUFFIXES = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]];

/** 12,345 */
export const count = (n) => (n === null || n === undefined ? "–" : whole.format(n));

/** Three or four significant digits: 0.0421, 3.14, 128, 4,812, 12.3k, 1.20M */
export function compact(n) {
  if (n === null || n === undefined || !Number.isFinite(n)) return "–";
  const size = Math.abs(n);
  for (const [unit, suffix] of SUFFIXES) {
    if (size >= (unit === 1e3 ? 1e4 : unit)) return `${digits(n / unit)}${suffix}`;
  }
  if (size >= 1000) return whole.format(n);
  return digits(n);
}

function digits(n) {
  const size = Math.abs(n);
  if (n === 0 || (Number.isInteger(n) && size < 1000)) return String(n);
  if (size >= 100) return n.toFixed(0);
  if (size >= 10) return n.toFixed(1);
  if (size >= 0.01) return n.toFixed(size >= 1 ? 2 : 3);
  return n.toPrecision(2);
}

/** Rates: whole above ten. */
export const rate = (n) => (n === null || n === undefined ? "–" : n >= 10 || n === 0 ? compact(Math.round(n)) : n.toFixed(1));

/** 180 µs, 4.2 ms, 1.3 s, 5 m 20 s, 3 h 2 m */
export function seconds(s) {
  if (s === null || s === undefined) return "–";
  if (s < 0) return `−${seconds(-s)}`;
  if (s < 0.001) return `${(s * 1e6).toFixed(0)} µs`;
  if (s < 0.1) return `${(s * 1e3).toFixed(s < 0.01 ? 2 : 1)} ms`;
  if (s < 1) return `${(s * 1e3).toFixed(0)} ms`;
  if (s < 60) return `${s.toFixed(1)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} m ${Math.floor(s % 60)} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} m`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

export function bytes(n) {
  if (n === null || n === undefined) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (n >= 1024 && unit < units.length - 1) {
    n /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? n : n.toFixed(n >= 100 ? 0 : 1)} ${units[unit]}`;
}

const two = (n) => String(n).padStart(2, "0");

/** Local wall clock, 24 hours. */
export function clock(ms, withSeconds = true) {
  const t = new Date(ms);
  return `${two(t.getHours())}:${two(t.getMinutes())}${withSeconds ? `:${two(t.getSeconds())}` : ""}`;
}

export function day(ms) {
  const t = new Date(ms);
  return `${t.getFullYear()}-${two(t.getMonth() + 1)}-${two(t.getDate())}`;
}

/** The wall clock; with the day, if that is not today. */
export const moment = (ms) => (day(ms) === day(Date.now()) ? clock(ms) : `${day(ms)} ${clock(ms)}`);
