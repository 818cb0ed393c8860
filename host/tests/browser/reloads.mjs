// Reloads on the page: past ones with their steps, buttons that ask first and show how it goes on, none without a token.

const PATIENCE = { timeout: 20_000 };
const READ_ONLY = "set [server] token to change things from here";

const newest = (page) => page.locator("#reloads > li").first();
const steps = (item) => item.locator(".flow .kind").allTextContents();

/** The list is there; why one was refused keeps its lines and is no markup. */
export async function reloadsAreShown(page, check) {
  await newest(page).waitFor(PATIENCE);
  const refused = page.locator('#reloads > li[data-outcome="refused"]').first();
  await refused.locator("summary").waitFor(PATIENCE);
  if (!(await refused.locator("details").evaluate((d) => d.open))) await refused.locator("summary").click();
  const reason = await refused.locator(".diagnostic").innerText();
  check(reason.split("\n").length > 5, `the reason lost its lines: ${reason}`);
  check((await refused.locator(".diagnostic *").count()) === 0 && reason.includes("<"), "the reason became markup");
  check((await page.title()).includes("Wasmill"), `a script ran: the title is ${await page.title()}`);
  const changed = page.locator('#reloads > li[data-outcome="changed"]').first();
  check((await steps(changed)).join() === "build,verify,assemble,swap,keep", `steps are ${await steps(changed)}`);
  check(/→/.test(await changed.locator(".what").first().textContent()), "what changed is not said");
  await page.locator("#releases > li .since").filter({ hasText: "since" }).first().waitFor(PATIENCE);
}

/** Waits until the newest reload is another one than `before`, has been seen under way, and is done. */
async function followed(page, before, outcome, check) {
  const item = page.locator(`#reloads > li:not([data-key="${before}"])`).first();
  await page.locator('#reloads > li[data-outcome="running"] .step[data-state="under way"]').waitFor(PATIENCE);
  // What changes goes on past its build: a step that is done stands beside the one under way.
  if (outcome === "changed") await page.locator('#reloads > li[data-outcome="running"] .step[data-state="done"]').first().waitFor(PATIENCE);
  await page.locator(`#reloads > li:first-child[data-outcome="${outcome}"]`).waitFor(PATIENCE);
  check((await newest(page).getAttribute("data-key")) !== before, "no newer reload is shown");
  check(await item.locator("details").evaluate((d) => d.open), "the newest reload is not open");
}

export async function buttonsChangeThings(page, check, picture) {
  let before = await newest(page).getAttribute("data-key");
  await page.locator("#reload button").click();
  await followed(page, before, "changed", check);
  check((await steps(newest(page))).length === 5, "the newest reload lacks steps");

  const plugin = page.locator("#releases > li").filter({ hasText: "History (2)" }).first();
  await plugin.getByRole("button", { name: /History/ }).click();
  check((await plugin.locator(".history tbody tr").count()) === 2, "the history does not open");

  const requests = [];
  page.on("request", (r) => r.method() === "POST" && requests.push(new URL(r.url()).pathname));
  await plugin.getByRole("button", { name: "Roll back" }).click();
  await page.locator("#confirm[open]").waitFor(PATIENCE);
  await picture("confirm");
  await page.keyboard.press("Escape");
  check(requests.length === 0, "a question that was not answered was taken for a yes");
  before = await newest(page).getAttribute("data-key");
  await plugin.getByRole("button", { name: "Roll back" }).click();
  await page.locator("#confirm-yes").click();
  await followed(page, before, "changed", check);
  check(requests.length === 1 && requests[0].endsWith("/rollback"), `asked for ${requests}`);

  before = await newest(page).getAttribute("data-key");
  await plugin.locator("input[type=file]").setInputFiles({ name: "next.wasm", mimeType: "application/wasm", buffer: Buffer.from("\0asm") });
  await page.locator("#confirm[open]").waitFor(PATIENCE);
  check((await page.locator("#confirm-words").textContent()).includes("next.wasm"), "the question does not name the file");
  await page.locator("#confirm-yes").click();
  await followed(page, before, "refused", check);
  check(await newest(page).locator(".diagnostic").isVisible(), "why it was refused is not shown");
}

/** On a server without a token nothing can be pressed. */
export async function nothingCanBePressed(page, check) {
  await page.locator("#releases > li .since").filter({ hasText: "since" }).first().waitFor(PATIENCE);
  const buttons = await page.$$eval("button[data-change]", (all) => all.map(({ disabled, title }) => ({ disabled, title })));
  check(buttons.length > 3, `${buttons.length} buttons change things`);
  for (const { disabled, title } of buttons) check(disabled && title === READ_ONLY, `a button can be pressed without a token: ${title}`);
  check(await page.locator("#read-only").isVisible(), "the page does not say that it is read-only");
}
