// The event stream over fetch, because EventSource cannot send a token. Connects again by itself.

import { ask } from "./api.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;
/** The server sends at least a status each second: a stream this quiet is dead. */
const SILENCE_MS = 8_000;

/** Calls `handlers[event](data)` for each event and `onState("live" | "lost", detail)` as the connection comes and goes. */
export async function follow(path, handlers, onState) {
  let wait = FIRST_WAIT_MS;
  for (;;) {
    const abort = new AbortController();
    try {
      const answer = await ask(path, { signal: abort.signal });
      if (!answer.ok) throw new Error(`answered ${answer.status}`);
      for await (const { event, data } of events(answer.body, abort)) {
        wait = FIRST_WAIT_MS;
        onState("live");
        handlers[event]?.(JSON.parse(data));
      }
    } catch {
      // The state says it; the loop tries again.
    }
    abort.abort();
    onState("lost", wait);
    await new Promise((resolve) => setTimeout(resolve, wait));
    wait = Math.min(wait * 2, LONGEST_WAIT_MS);
  }
}

async function* events(body, abort) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const watchdog = setTimeout(() => abort.abort(), SILENCE_MS);
    const { value, done } = await reader.read().finally(() => clearTimeout(watchdog));
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const event = parse(block);
      if (event.data) yield event;
    }
  }
}

function parse(block) {
  const event = { event: "message", data: "" };
  for (const line of block.split("\n")) {
    if (line.startsWith("event: ")) event.event = line.slice(7);
    else if (line.startsWith("data: ")) event.data += line.slice(6);
  }
  return event;
}
