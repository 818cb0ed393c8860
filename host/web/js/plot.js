// uPlot, dressed: our colours, axes, crosshair and gaps.

import uPlot from "/web/vendor/uPlot.esm.js";
import { clock, compact } from "./format.js";
import { lonely } from "./series.js";
import { colour } from "./theme.js";

export const HEIGHT = 220;
const DASHES = [[], [], [], [], [7, 4], [7, 4], [2, 3], [2, 3]];
const AXIS_FONT = "11px system-ui, sans-serif";

/** Whole minutes only: a label is five characters wide. */
const TIME_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 240].map((minutes) => minutes * 60);
const timeLabels = (_, splits) => splits.map((s) => clock(s * 1000, false));

/** From zero, unless all values are close together and far from it. */
function valueRange(_, low, high) {
  if (low === null || high === null) return [0, 1];
  if (low >= 0 && low < high * 0.7) return [0, high * 1.08 || 1];
  if (high <= 0 && high > low * 0.7) return [low * 1.08 || -1, 0];
  const room = (high - low) * 0.12 || Math.abs(high) * 0.1 || 1;
  return [low - room, high + room];
}

function line(series, alone, tint) {
  const stroke = colour(`--series-${series.slot + 1}`);
  return {
    label: series.key,
    stroke,
    width: 1.75,
    dash: DASHES[series.slot],
    fill: alone ? tint : undefined,
    spanGaps: false,
    points: { show: false, size: 5, fill: stroke, filter: (u, i, show) => (show ? null : lonely(u.data[i])) },
  };
}

/** A plot of `shown` in `parent`. `onCursor(index | null)` as the crosshair moves. */
export function plot(parent, shown, data, range, onCursor) {
  const [ink, grid] = [colour("--muted"), colour("--grid")];
  const axis = { stroke: ink, font: AXIS_FONT, grid: { stroke: grid, width: 1 }, ticks: { show: false } };
  const options = {
    width: Math.max(parent.clientWidth, 120),
    height: HEIGHT,
    padding: [10, 10, 0, 0],
    legend: { show: false },
    cursor: {
      sync: { key: "wasmill", scales: ["x", null] },
      drag: { x: false, y: false },
      points: { size: 7 },
      focus: { prox: -1 },
    },
    scales: { x: { range: () => range() }, y: { range: valueRange } },
    axes: [
      { ...axis, size: 28, space: 50, grid: { show: false }, incrs: TIME_STEPS, values: timeLabels },
      { ...axis, size: 50, space: 36, values: (_, splits) => splits.map(compact) },
    ],
    series: [{}, ...shown.map((s) => line(s, shown.length === 1, colour("--tint")))],
    hooks: { setCursor: [(u) => onCursor(u.cursor.idx ?? null)] },
  };
  return new uPlot(options, data, parent);
}
