// Asking the server. Everything may be asked twice, so what is not answered is asked again until it is.

import { byId } from "/page/elements.js";
import { readError, ApiError } from "/page/api-error.js";

const PATIENCE = 1500;

let key = "";

/** The key of the sitting, shown with every question. */
export function useKey(given) {
  key = given;
}

/** Ask until there is an answer; `as` "answer" gives the answer itself, else it is read as JSON. */
export async function ask(path, { method = "GET", body, as = "json" } = {}) {
  const headers = body === undefined ? {} : { "Content-Type": "application/json" };
  if (key) headers.Authorization = `Bearer ${key}`;
  for (;;) {
    const read = await once(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) }, as).catch(tellPatience);
    if (read !== null) {
      byId("banner").hidden = true;
      return read;
    }
    await new Promise((go) => { setTimeout(go, PATIENCE); });
  }
}

async function once(path, options, as) {
  const answer = await fetch(path, options);
  if (answer.status === 503 || answer.status === 429) return tellPatience(new TypeError());
  if (!answer.ok) throw await readError(answer, "the server");
  return as === "json" ? answer.json() : { blob: await answer.blob(), ticket: answer.headers.get("X-Ticket") ?? "" };
}

// A lost connection, or an answer that broke off, is no refusal: nothing is lost, and it is asked again.
function tellPatience(error) {
  if (error instanceof ApiError) throw error;
  byId("banner").hidden = false;
  byId("banner").textContent = "The server does not answer. Nothing is lost; this page tries again …";
  return null;
}
