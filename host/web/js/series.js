// The points of one field, by tag set, and how they become the columns that uPlot draws.

/** Tag sets kept in a chart; more are only counted. */
const MAX_KEPT = 500;
export const MAX_SHOWN = 8;

export const keyOf = (tags) => JSON.stringify(Object.entries(tags).sort(([a], [b]) => (a < b ? -1 : 1)));

export class SeriesSet {
  constructor() {
    this.clear();
    /** Slot (colour) → key. A series keeps its colour while it is shown. */
    this.slots = Array(MAX_SHOWN).fill(null);
  }

  clear() {
    this.byKey = new Map();
    this.others = 0;
  }

  /** Replaces everything by an answer of /api/v1/series. */
  load(answer) {
    this.clear();
    for (const { tags, points } of answer.series) {
      this.byKey.set(keyOf(tags), { tags, points: new Map(points) });
    }
    this.others = answer.series_total - answer.series.length;
  }

  /** A new point, or one again that a late row corrected. */
  add(tags, ms, value) {
    const key = keyOf(tags);
    let series = this.byKey.get(key);
    if (!series) {
      if (this.byKey.size >= MAX_KEPT) return;
      series = { tags, points: new Map() };
      this.byKey.set(key, series);
    }
    series.points.set(ms, value);
    series.sorted = null;
  }

  /** Forgets what lies before `ms`. */
  trim(ms) {
    for (const [key, series] of this.byKey) {
      for (const time of series.points.keys()) {
        if (time < ms) {
          series.points.delete(time);
          series.sorted = null;
        }
      }
      if (series.points.size === 0) this.byKey.delete(key);
    }
  }

  get size() {
    return this.byKey.size;
  }

  /** The series with the highest last values, in their slots; and how many are not shown. */
  shown() {
    const all = [...this.byKey].map(([key, series]) => ({ key, ...series, last: this.last(series) }));
    all.sort((a, b) => b.last.value - a.last.value);
    const top = all.slice(0, MAX_SHOWN);
    const keys = new Set(top.map((s) => s.key));
    this.slots = this.slots.map((key) => (keys.has(key) ? key : null));
    for (const { key } of top) {
      if (!this.slots.includes(key)) this.slots[this.slots.indexOf(null)] = key;
    }
    const inSlots = this.slots.map((key, slot) => ({ slot, ...top.find((s) => s.key === key) })).filter((s) => s.tags);
    return { series: inSlots, hidden: all.length - top.length + this.others };
  }

  last(series) {
    const points = sorted(series);
    return { ms: points.at(-1)[0], value: points.at(-1)[1] };
  }
}

function sorted(series) {
  series.sorted ??= [...series.points].sort((a, b) => a[0] - b[0]);
  return series.sorted;
}

/**
 * uPlot's columns: times in seconds, then one column a series. A missing window (further apart than 1.5 `step`, in seconds;
 * null: no regular step) is null, which breaks the line; a time that only other series have is undefined, which does not.
 */
export function aligned(shown, step) {
  const gap = step ? step * 1500 : Infinity;
  const columns = shown.map((series) => {
    const points = sorted(series);
    const column = new Map(points);
    for (let i = 1; i < points.length; i += 1) {
      if (points[i][0] - points[i - 1][0] > gap) column.set(points[i - 1][0] + Math.round(step * 1000), null);
    }
    return column;
  });
  const times = [...new Set(columns.flatMap((c) => [...c.keys()]))].sort((a, b) => a - b);
  return [times.map((t) => t / 1000), ...columns.map((c) => times.map((t) => c.get(t)))];
}

/** Points without a neighbour to draw a line to: only a dot shows them. */
export function lonely(column) {
  const there = [];
  column.forEach((value, i) => {
    if (value !== undefined) there.push(i);
  });
  return there.filter((at, n) => {
    const before = n > 0 ? column[there[n - 1]] : null;
    const after = n < there.length - 1 ? column[there[n + 1]] : null;
    return column[at] !== null && before === null && after === null;
  });
}
