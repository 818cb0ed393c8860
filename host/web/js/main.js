// Starts the page: first the whole document, then the stream of what changes.

import { adoptToken, json } from "./api.js";
import { showWritable, startChanges } from "./change.js";
import { addPoints, refresh, repaint, showStatus, startCharts } from "./charts.js";
import { showRoutes } from "./flow.js";
import { showHead, showLink, showRecent, startHead } from "./head.js";
import { showPanels, startPanels } from "./panels.js";
import { showReleases } from "./releases.js";
import { showReloads, startReloads } from "./reloads.js";
import { follow } from "./stream.js";
import { startTheme } from "./theme.js";

function show(pipeline) {
  showStatus(pipeline);
  showHead(pipeline);
  showRoutes(pipeline);
  showPanels(pipeline);
  showWritable(pipeline);
  showReleases(pipeline);
  showReloads(pipeline);
}

/** All that a stream does not say: the minutes before, and points written while there was none. */
async function catchUp() {
  const pipeline = await json("/api/v1/pipeline").catch(() => null);
  if (!pipeline) return;
  show(pipeline);
  showRecent(pipeline.recent);
  await refresh(true);
}

adoptToken();
startHead();
startPanels();
startReloads();
startChanges();
startCharts();
startTheme(repaint);

let live = false;
follow("/api/v1/events", { status: show, points: addPoints }, (state) => {
  if (state === "live" && !live) catchUp();
  live = state === "live";
  showLink(state);
});
