// Requests to the server. Every request may be repeated, so a request without a response is sent again until there is one.

import { byId } from "/page/elements.js";
import { readError, ApiError } from "/page/api-error.js";

const RETRY_MILLISECONDS = 1500;

let key = "";

/** Set the key that is sent with every request. */
export function setKey(value) {
  key = value;
}

/** Send a request until there is a response, and return it as JSON, or its content and token if `as` is "file". */
export async function request(path, { method = "GET", body, as = "json" } = {}) {
  const headers = body === undefined ? {} : { "Content-Type": "application/json" };
  if (key) headers.Authorization = `Bearer ${key}`;
  for (;;) {
    try {
      const result = await send(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) }, as);
      if (result !== null) {
        byId("banner").hidden = true;
        return result;
      }
    } catch (error) {
      if (error instanceof ApiError) throw error; // any other error is a lost connection
    }
    byId("banner").hidden = false;
    byId("banner").textContent = "The server does not respond. Your answers are safe, and this page keeps trying …";
    await new Promise((resolve) => { setTimeout(resolve, RETRY_MILLISECONDS); });
  }
}

async function send(path, options, as) {
  const response = await fetch(path, options);
  if (response.status === 503 || response.status === 429) return null;
  if (!response.ok) throw await readError(response, "the server");
  return as === "json" ? response.json() : { blob: await response.blob(), token: response.headers.get("X-Ticket") ?? "" };
}
