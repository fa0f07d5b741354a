// Which sitting this is: its key stands in the address, after #, which no server sees, and in this browser's memory.

import { ask, useKey } from "/page/ask.js";
import { byId } from "/page/elements.js";
import { ApiError } from "/page/api-error.js";

const NAME = "cantilena.sitting";

/** The key in the address, or nothing. */
export const keyInAddress = () => location.hash.slice(1);

/** The key that this browser remembers, or nothing. */
export function keyRemembered() {
  try {
    return localStorage.getItem(NAME) ?? "";
  } catch {
    return ""; // a browser that keeps nothing: the address alone brings back
  }
}

/** Go on with a sitting; gives where it is, or nothing where there is no such sitting. */
export async function open(key) {
  useKey(key);
  try {
    const state = await ask("/api/sitting");
    keep(key);
    return state;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    leave();
    return null;
  }
}

/** Begin a sitting of somebody who agreed. */
export async function begin() {
  const { key, state } = await ask("/api/sittings", { method: "POST", body: { consent: true } });
  keep(key);
  return state;
}

/** Forget the sitting, for whoever sits here next. */
export function leave() {
  useKey("");
  history.replaceState(null, "", "/");
  byId("resume").hidden = true;
  try {
    localStorage.removeItem(NAME);
  } catch { /* nothing was kept */ }
}

function keep(key) {
  useKey(key);
  history.replaceState(null, "", `/#${key}`);
  byId("link").href = `/#${key}`;
  byId("resume").hidden = false;
  try {
    localStorage.setItem(NAME, key);
  } catch { /* the address holds it */ }
}
