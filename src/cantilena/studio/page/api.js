// Asking the server: answers, refusals in words, and streams.

import { refusal, Refused } from "/page/refused.js";
import { tell } from "/page/state.js";

/** Ask for something; the answer is read as JSON unless `as` says otherwise. */
export async function ask(path, { body, method = body === undefined ? "GET" : "POST", as = "json", signal, accept } = {}) {
  const isBytes = body instanceof Blob || body instanceof ArrayBuffer;
  const headers = body === undefined || isBytes ? {} : { "Content-Type": "application/json" };
  if (isBytes) headers["Content-Type"] = "application/octet-stream";
  if (accept) headers.Accept = accept;
  let answer;
  try {
    answer = await fetch(path, { method, headers, signal, body: body === undefined || isBytes ? body : JSON.stringify(body) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    tell("gone");
    throw new Refused("the studio does not answer", "is it still running? This page tries again by itself");
  }
  if (!answer.ok) throw await refusal(answer, "the studio");
  return as === "answer" ? answer : answer[as]();
}

/** Compose or rewrite; `onNotes` hears of notes while they are drawn, `onCandidate` of each melody. Resolves to all of them. */
export async function composed(path, body, { signal, onNotes = () => {}, onCandidate = () => {} } = {}) {
  const answer = await ask(path, { body, signal, as: "answer", accept: "text/event-stream" });
  if (!(answer.headers.get("Content-Type") ?? "").startsWith("text/event-stream")) return (await answer.json()).candidates;
  const candidates = [];
  for await (const [name, sent] of messages(answer)) {
    if (name === "notes") onNotes(sent);
    if (name === "candidate") {
      candidates.push(sent);
      onCandidate(sent);
    }
    if (name === "error") throw new Refused(sent.error, sent.hint);
    if (name === "done") return candidates;
  }
  throw new Refused("the answer broke off", "try again");
}

async function* messages(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + value.replaceAll("\r\n", "\n")).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const lines = block.split("\n");
      const of = (field) => lines.filter((line) => line.startsWith(`${field}:`)).map((line) => line.slice(field.length + 1).trimStart());
      if (of("data").length) yield [of("event")[0] ?? "message", JSON.parse(of("data").join("\n"))];
    }
  }
}

/** One asker whose older questions are dropped when a newer one comes. */
export function latest() {
  let controller = null;
  return async (path, options = {}) => {
    controller?.abort();
    controller = new AbortController();
    return ask(path, { ...options, signal: controller.signal });
  };
}

/** Whether an error only says that a newer question came. */
export const isDropped = (error) => error?.name === "AbortError";

/** The name by which the server knows this page: two tabs are two pages. */
export const PAGE = crypto.randomUUID();

/** Hold a stream open, by which the server sees that this page is here, and say when it is gone and back. */
export function stay() {
  const stream = new EventSource(`/api/pages/${PAGE}/events`);
  stream.addEventListener("open", () => tell("back"));
  stream.addEventListener("error", () => tell("gone"));
  addEventListener("pagehide", () => stream.close());
}
