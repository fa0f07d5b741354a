// The key of the current participant: in the fragment of the address, which is not sent to the server, and in the browser's storage.

import { request, setKey } from "/page/api.js";
import { byId } from "/page/elements.js";
import { ApiError } from "/page/api-error.js";

const STORAGE_KEY = "cantilena.sitting";

/** The key in the address, or "". */
export const keyInAddress = () => location.hash.slice(1);

/** The key in the browser's storage, or "". */
export function storedKey() {
  try {
    return localStorage.getItem(STORAGE_KEY) ?? "";
  } catch {
    return ""; // storage is disabled
  }
}

/** Create a participant who consented, and return the first state. */
export async function begin() {
  const { key, state } = await request("/api/sittings", { method: "POST", body: { consent: true } });
  remember(key);
  return state;
}

/** Resume with a key, and return the state; null if the key is invalid. */
export async function resume(key) {
  setKey(key);
  try {
    const state = await request("/api/sitting");
    remember(key);
    return state;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    forget();
    return null;
  }
}

/** Forget the participant, for the next one on this device. */
export function forget() {
  setKey("");
  history.replaceState(null, "", "/");
  byId("resume").hidden = true;
  try {
    localStorage.removeItem(STORAGE_KEY);
  } catch { /* storage is disabled */ }
}

function remember(key) {
  setKey(key);
  history.replaceState(null, "", `/#${key}`);
  byId("link").href = `/#${key}`;
  byId("resume").hidden = false;
  try {
    localStorage.setItem(STORAGE_KEY, key);
  } catch { /* storage is disabled; the address has the key */ }
}
