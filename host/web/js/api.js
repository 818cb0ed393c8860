// Asks the server; knows the token, if one is needed.

import { byId } from "./dom.js";

const KEPT = "wasmill-token";
let asking = null;

/** Takes `?token=` out of the address into this tab's storage, so that it is not in the history or copied along. */
export function adoptToken() {
  const address = new URL(location.href);
  const token = address.searchParams.get("token");
  if (token === null) return;
  sessionStorage.setItem(KEPT, token);
  address.searchParams.delete("token");
  history.replaceState(null, "", address);
}

/** Asks the user once, however many requests wait for it. */
function askForToken() {
  asking ??= new Promise((resolve) => {
    const dialog = byId("token-dialog");
    const input = byId("token-input");
    input.value = "";
    dialog.addEventListener("close", () => {
      sessionStorage.setItem(KEPT, input.value);
      asking = null;
      resolve();
    }, { once: true });
    dialog.showModal();
  });
  return asking;
}

/** `fetch` with the token. A 401 asks the user for one and tries again. */
export async function ask(path, options = {}) {
  for (;;) {
    const token = sessionStorage.getItem(KEPT);
    const headers = token ? { authorization: `Bearer ${token}` } : {};
    const answer = await fetch(path, { ...options, headers, cache: "no-store" });
    if (answer.status !== 401) return answer;
    await askForToken();
  }
}

/** The JSON at `path`; throws the problem's words. */
export async function json(path, options) {
  const answer = await ask(path, options);
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(body.detail ?? `${path} answered ${answer.status}`);
  return body;
}

/** Posts; the report of the reload that came of it, be it refused (409). Throws the problem's words. */
export async function post(path, body) {
  const answer = await ask(path, { method: "POST", body });
  const said = await answer.json().catch(() => ({}));
  if (answer.ok || said.outcome) return said;
  throw new Error(said.detail ?? `${path} answered ${answer.status}`);
}
