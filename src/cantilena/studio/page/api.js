// Requests to the server: JSON, files, and streams of events.

import { readError, ApiError } from "/page/api-error.js";
import { emit } from "/page/state.js";

/** Send a request; the response is read as JSON unless `as` says otherwise. */
export async function request(path, { body, method = body === undefined ? "GET" : "POST", as = "json", signal, accept } = {}) {
  const isBytes = body instanceof Blob || body instanceof ArrayBuffer;
  const headers = body === undefined || isBytes ? {} : { "Content-Type": "application/json" };
  if (isBytes) headers["Content-Type"] = "application/octet-stream";
  if (accept) headers.Accept = accept;
  let response;
  try {
    response = await fetch(path, { method, headers, signal, body: body === undefined || isBytes ? body : JSON.stringify(body) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    emit("offline");
    throw new ApiError("the studio is not responding", "check that it is still running; this page reconnects by itself");
  }
  if (!response.ok) throw await readError(response, "the studio");
  return as === "response" ? response : response[as]();
}

/** Compose or rewrite; calls `onNotes` with new notes and `onCandidate` with each melody. Resolves to all melodies. */
export async function streamCandidates(path, body, { signal, onNotes = () => {}, onCandidate = () => {} } = {}) {
  const response = await request(path, { body, signal, as: "response", accept: "text/event-stream" });
  if (!(response.headers.get("Content-Type") ?? "").startsWith("text/event-stream")) return (await response.json()).candidates;
  const candidates = [];
  for await (const [name, data] of readEvents(response)) {
    if (name === "notes") onNotes(data);
    if (name === "candidate") {
      candidates.push(data);
      onCandidate(data);
    }
    if (name === "error") throw new ApiError(data.error, data.hint);
    if (name === "done") return candidates;
  }
  throw new ApiError("the connection was interrupted", "try again");
}

async function* readEvents(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + value.replaceAll("\r\n", "\n")).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const lines = block.split("\n");
      const values = (field) => lines.filter((line) => line.startsWith(`${field}:`)).map((line) => line.slice(field.length + 1).trimStart());
      if (values("data").length) yield [values("event")[0] ?? "message", JSON.parse(values("data").join("\n"))];
    }
  }
}

/** Return a function like `request` that aborts its previous request. */
export function latestOnly() {
  let controller = null;
  return async (path, options = {}) => {
    controller?.abort();
    controller = new AbortController();
    return request(path, { ...options, signal: controller.signal });
  };
}

/** Return whether an error only means that a request was aborted. */
export const isAborted = (error) => error?.name === "AbortError";

/** The id by which the server knows this page; each tab has its own. */
export const PAGE_ID = crypto.randomUUID();

/** Hold a stream open: the server cancels the page's jobs when it closes, and the page notices a lost connection. */
export function keepPageOpen() {
  const stream = new EventSource(`/api/pages/${PAGE_ID}/events`);
  stream.addEventListener("open", () => emit("online"));
  stream.addEventListener("error", () => emit("offline"));
  addEventListener("pagehide", () => stream.close());
}
