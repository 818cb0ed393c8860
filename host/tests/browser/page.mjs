// Opens the dashboard at a URL in headless Chromium and says what is wrong with it; exits 1 if anything is.
//
//   node page.mjs URL [--charts N] [--text TEXT] [--token TOKEN] [--reloads] [--read-only URL] [--screenshots DIR]
//
// --charts N: at least N charts must have points, and those must grow (1 by default). --text: must stand on the page, as text.
// --reloads: there are reloads, and buttons that ask for more. --read-only: the same of a server without a token.

import { existsSync, mkdirSync } from "node:fs";
import { parseArgs } from "node:util";

import { buttonsChangeThings, nothingCanBePressed, reloadsAreShown } from "./reloads.mjs";

const GROW_MS = 60_000;

function missing(what, remedy) {
  console.error(`${what} is missing: ${remedy}`);
  process.exit(1);
}

async function driver() {
  try {
    return (await import("playwright-core")).chromium;
  } catch {
    return missing("playwright-core", "run `npm ci` in host/tests/browser");
  }
}

function browser() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  const folders = (process.env.PATH ?? "").split(":");
  const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
  const found = folders.flatMap((f) => names.map((n) => `${f}/${n}`)).find(existsSync);
  return found ?? missing("Chromium", "install it (`apt-get install chromium`) or set CHROMIUM to its path");
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    charts: { type: "string", default: "1" },
    text: { type: "string" },
    token: { type: "string" },
    reloads: { type: "boolean", default: false },
    "read-only": { type: "string" },
    screenshots: { type: "string" },
  },
});
const url = positionals[0] ?? missing("the URL", "node page.mjs http://127.0.0.1:8080");
const faults = [];
const check = (holds, fault) => holds || faults.push(fault);

const chromium = await driver();
const running = await chromium.launch({ executablePath: browser(), args: ["--no-sandbox"] });

/** A page of this width and theme, whose complaints are collected. */
async function open(width, height, colorScheme, at = values.token ? `${url}/?token=${encodeURIComponent(values.token)}` : url) {
  const context = await running.newContext({ viewport: { width, height }, colorScheme, deviceScaleFactor: values.screenshots ? 2 : 1 });
  const page = await context.newPage();
  const name = `${width} ${colorScheme}`;
  // A refused reload answers 409, which the browser itself complains of.
  const complaint = (m) => ["error", "warning"].includes(m.type()) && !m.text().includes("409 (Conflict)");
  page.on("console", (m) => complaint(m) && faults.push(`${name}: console: ${m.text()}`));
  page.on("pageerror", (e) => faults.push(`${name}: ${e.stack ?? e}`));
  await page.goto(at);
  await page.locator('#link[data-state="live"]').waitFor({ timeout: GROW_MS });
  return page;
}

/** Charts that have points, and the time of the newest in each. */
const drawn = (page) =>
  page.$$eval(".chart", (charts) => charts
    .map((c) => ({ name: c.dataset.measurement, points: Number(c.dataset.points), newest: Number(c.dataset.newest), canvases: c.querySelectorAll("canvas").length }))
    .filter((c) => c.points > 0));

async function chartsGrow(page) {
  const enough = Number(values.charts);
  const until = Date.now() + GROW_MS;
  let first = [];
  while ((first = await drawn(page)).length < enough && Date.now() < until) await page.waitForTimeout(250);
  check(first.length >= enough, `${first.length} of ${enough} charts have points after ${GROW_MS / 1000} s`);
  for (const { name, canvases } of first) check(canvases === 1, `chart ${name} has points and no canvas`);
  // Not all of them: a window may be as long as the patience here.
  const grown = async () => (await drawn(page)).filter((c) => first.some((f) => c.name === f.name && c.newest > f.newest)).length;
  while ((await grown()) < enough && Date.now() < until) await page.waitForTimeout(250);
  const count = await grown();
  check(count >= enough, `${count} of ${enough} charts got newer points within ${GROW_MS / 1000} s`);
}

async function figuresMove(page) {
  const figure = await page.locator('[data-figure="events_per_second"] .value').textContent();
  check(/\d/.test(figure), `events a second say ${figure}`);
  check((await page.locator("#routes > li").count()) > 0, "no route is shown");
  check((await page.locator("#partitions tbody tr").count()) > 0, "no partition is shown");
  check((await page.locator("#plugins tbody tr").count()) > 0, "no plugin is shown");
}

async function textStaysText(page) {
  if (!values.text) return;
  await page.getByText(values.text, { exact: true }).first().waitFor({ timeout: GROW_MS }).catch(() => {});
  check((await page.getByText(values.text, { exact: true }).count()) > 0, `the text ${values.text} is not on the page`);
  check((await page.locator("main img, main script, main iframe").count()) === 0, "data became markup");
}

async function fits(page, name) {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  check(over <= 0, `${name}: ${over} px wider than the window`);
}

async function picture(page, name, fullPage = true) {
  if (!values.screenshots) return;
  mkdirSync(values.screenshots, { recursive: true });
  await page.screenshot({ path: `${values.screenshots}/page-${name}.png`, fullPage });
}

async function readOnly() {
  const page = await open(1280, 900, "light", values["read-only"]);
  await nothingCanBePressed(page, check);
  await picture(page, "read-only");
  await page.context().close();
}

for (const [width, height, theme] of [[1280, 900, "light"], [1280, 900, "dark"], [390, 844, "light"], [390, 844, "dark"]]) {
  const page = await open(width, height, theme);
  await chartsGrow(page);
  await figuresMove(page);
  await textStaysText(page);
  await fits(page, `${width} ${theme}`);
  if (values.reloads) {
    await reloadsAreShown(page, check);
    await buttonsChangeThings(page, check, (what) => picture(page, `${width}-${theme}-${what}`, false));
    await fits(page, `${width} ${theme}, with reloads`);
  }
  await picture(page, `${width}-${theme}`);
  await page.context().close();
}
if (values["read-only"]) await readOnly();
await running.close();
faults.forEach((fault) => console.error(`page: ${fault}`));
console.log(faults.length ? `the page has ${faults.length} faults` : "the page is well");
process.exit(faults.length ? 1 : 0);
