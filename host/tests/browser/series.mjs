// The columns that charts are drawn from: missing windows break a line, times that only other series have do not.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

const source = readFileSync(new URL("../../web/js/series.js", import.meta.url), "utf8");
const { MAX_SHOWN, SeriesSet, aligned, lonely } = await import(`data:text/javascript,${encodeURIComponent(source)}`);

const set = (...series) => {
  const filled = new SeriesSet();
  filled.load({ series: series.map(([name, points]) => ({ tags: { name }, points })), series_total: series.length });
  return filled;
};

test("a missing window breaks the line, another series' times do not", () => {
  const { series } = set(["a", [[0, 9], [1000, 9], [4000, 9]]], ["b", [[500, 1], [1500, 1]]]).shown();
  const [times, a, b] = aligned(series, 1);
  assert.deepEqual(times, [0, 0.5, 1, 1.5, 2, 4]);
  assert.deepEqual(a, [9, undefined, 9, undefined, null, 9]);
  assert.deepEqual(b, [undefined, 1, undefined, 1, undefined, undefined]);
});

test("without a regular step nothing is missing", () => {
  const [times, a] = aligned(set(["a", [[0, 1], [60_000, 2]]]).shown().series, null);
  assert.deepEqual([times, a], [[0, 60], [1, 2]]);
});

test("a point between two gaps is shown as a dot", () => {
  assert.deepEqual(lonely([1, 2, null, 3, undefined, null, 4]), [3, 6]);
});

test("the highest last values are shown, the others counted, and colours stay with their series", () => {
  const many = set(...Array.from({ length: MAX_SHOWN + 3 }, (_, n) => [`s${n}`, [[0, n]]]));
  const before = many.shown();
  assert.equal(before.hidden, 3);
  assert.ok(before.series.every((s) => s.last.value >= 3));
  many.add({ name: "s0" }, 1000, 100);
  const after = many.shown();
  const slots = new Map(before.series.map((s) => [s.key, s.slot]));
  assert.ok(after.series.some((s) => s.tags.name === "s0"));
  assert.ok(after.series.every((s) => !slots.has(s.key) || slots.get(s.key) === s.slot));
});

test("a correction replaces its point, and old points are forgotten", () => {
  const one = set(["a", [[0, 1], [1000, 2]]]);
  one.add({ name: "a" }, 1000, 5);
  one.trim(500);
  assert.deepEqual(one.shown().series[0].last, { ms: 1000, value: 5 });
  one.trim(5000);
  assert.equal(one.size, 0);
});
