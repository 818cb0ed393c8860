// Buttons that change what runs: they act only where a token is configured, ask first where that is due, and are off meanwhile.

import { post } from "./api.js";
import { byId, h, text } from "./dom.js";
import { watchReloads } from "./reloads.js";

const READ_ONLY = "set [server] token to change things from here";

let writable = false;
let busy = false;

/** A button for a change, with what it does in its title. */
export function changeButton(label, title, onclick) {
  const button = h("button", { type: "button", class: "button", dataset: { change: title }, onclick }, label);
  arm(button);
  return button;
}

function arm(button) {
  button.disabled = !writable || busy;
  button.title = writable ? button.dataset.change : READ_ONLY;
}

function armAll() {
  document.querySelectorAll("button[data-change]").forEach(arm);
}

export function startChanges() {
  const reload = () => send("/api/v1/reloads");
  byId("reload").append(changeButton("Reload", "Read the configuration and the plugins' files again", reload));
  text(byId("read-only"), `Read-only: ${READ_ONLY}.`);
}

export function showWritable(pipeline) {
  byId("read-only").hidden = pipeline.writable;
  if (writable === pipeline.writable) return;
  writable = pipeline.writable;
  armAll();
}

/** Asks for a change; the list of reloads shows how it goes on. */
async function send(path, body) {
  busy = true;
  armAll();
  say("");
  const stop = watchReloads();
  try {
    await post(path, body);
  } catch (error) {
    say(error.message);
  } finally {
    busy = false;
    armAll();
    stop();
  }
}

function say(words) {
  const problem = byId("reload-problem");
  problem.hidden = !words;
  text(problem, words);
}

/** Asks the user, then for the change, and turns to the list of reloads. `words`: what will happen, a paragraph each. */
export async function confirmed({ title, words, action, path, body }) {
  const answer = await question(title, words, action);
  if (!answer) return;
  byId("reloads-title").scrollIntoView({ block: "start", behavior: "smooth" });
  await send(answer.resetState ? `${path}?reset_state=true` : path, body);
}

function question(title, words, action) {
  const dialog = byId("confirm");
  text(byId("confirm-title"), title);
  byId("confirm-words").replaceChildren(...words.map((paragraph) => h("p", {}, paragraph)));
  text(byId("confirm-yes"), action);
  byId("confirm-reset").checked = false;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    const done = () => resolve(dialog.returnValue === "yes" ? { resetState: byId("confirm-reset").checked } : null);
    dialog.addEventListener("close", done, { once: true });
  });
}
