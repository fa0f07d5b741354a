// Sessions: what was composed and edited, with every step for undo, saved in the browser by itself.
//
// A session is open in one tab at a time: a tab holds a lock on it as long as it lives. Verdicts are not saved, since the
// rules rate a melody again.

import { byId, debounced, make, showError } from "/page/elements.js";
import { recall, remembered, forget } from "/page/editing/undo.js";
import { countFrom, DEFAULTS, emit, modelNamed, on, state, updateSettings } from "/page/state.js";

const DATA = "sessions", NAMES = "names", MOST = 40, TAB = "cantilena.session";
let current = null, release = null, database = null;

const done = (call) => new Promise((resolve, reject) => {
  call.onsuccess = () => resolve(call.result);
  call.onerror = () => reject(call.error);
});

function open() {
  database ??= new Promise((resolve, reject) => {
    const call = indexedDB.open("cantilena", 1);
    call.onupgradeneeded = () => [DATA, NAMES].forEach((name) => call.result.createObjectStore(name, { keyPath: "id" }));
    call.onsuccess = () => resolve(call.result);
    call.onerror = () => reject(call.error);
    call.onblocked = () => reject(new Error("the sessions are in use by an older page"));
  });
  return database;
}

// Call a function with the two stores, in one transaction.
async function within(mode, call) {
  const transaction = (await open()).transaction([DATA, NAMES], mode);
  return call(transaction.objectStore(DATA), transaction.objectStore(NAMES));
}

// Hold a session in this tab; false if another one does.
function hold(id) {
  return new Promise((resolve) => {
    navigator.locks.request(`cantilena-session-${id}`, { ifAvailable: true }, (lock) => {
      if (!lock) {
        resolve(false);
        return null;
      }
      resolve(true);
      return new Promise((free) => { release = free; });
    }).catch(() => resolve(true));
  });
}

const bare = ({ verdict, tokens, ...candidate }) => candidate;
const bareStep = (step) => ({ ...step, columns: step.columns.map((column) => ({ ...column, candidates: column.candidates.map(bare) })) });

function begin() {
  release?.();
  release = null;
  const name = new Date().toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  current = { id: crypto.randomUUID(), name, changed: Date.now() };
  hold(current.id);
  noteTab();
}

// A tab that is loaded again shows its session.
function noteTab() {
  try {
    sessionStorage.setItem(TAB, JSON.stringify({ id: current.id, hash: location.hash }));
  } catch { /* storage may be blocked: the session lasts until the page is closed */ }
}

async function save() {
  if (!current) return;
  noteTab();
  const { steps, at } = remembered();
  if (!steps.length && !state.settings.primer.trim()) return;
  Object.assign(current, { changed: Date.now(), at, steps: steps.map(bareStep), settings: { ...state.settings }, hash: location.hash });
  const { id, name, changed } = current;
  try {
    await within("readwrite", (data, names) => {
      data.put(current);
      return done(names.put({ id, name, changed, count: steps.length }));
    });
    for (const old of (await sessions()).slice(MOST)) await forgetSession(old.id);
  } catch { /* the browser is out of space, or stores nothing: the page works without */ }
}

const forgetSession = (id) => within("readwrite", (data, names) => {
  names.delete(id);
  return done(data.delete(id));
});

/** The saved sessions, the newest first: `{ id, name, changed, count }`, with the number of steps. */
async function sessions() {
  const all = await within("readonly", (_, names) => done(names.getAll()));
  return all.sort((a, b) => b.changed - a.changed);
}

/** Show the session of this tab, or the last one of this browser; returns whether there was one. */
export async function restoreSession() {
  try {
    const tab = JSON.parse(sessionStorage.getItem(TAB) ?? "null");
    const isReload = tab && location.hash === tab.hash;
    if (location.hash && !isReload) return false;
    const id = isReload ? tab.id : (await sessions()).find((one) => one.count)?.id;
    return id ? await openSession(id) : false;
  } catch {
    return false;
  }
}

async function openSession(id) {
  const saved = await within("readonly", (data) => done(data.get(id)));
  if (!saved || (current?.id !== id && !(await hold(id)))) return false;
  current = saved;
  countFrom(saved.steps.flatMap((step) => step.columns.flatMap((column) => column.candidates)));
  recall({ steps: saved.steps, at: saved.at });
  updateSettings({ ...DEFAULTS, ...saved.settings, ...(modelNamed(saved.settings.model) ? {} : { model: state.settings.model }) });
  if (saved.hash !== location.hash) history.replaceState(null, "", saved.hash || location.pathname);
  if (saved.at < 0) emit("columns");
  noteTab();
  return true;
}

/** Begin a session: when a link is opened, or the page for the first time. */
export function newSession() {
  forget();
  begin();
}

/** Set up saving, and the list of sessions in the drawer of the history. */
export function initSessions() {
  const soon = debounced(save, 300);
  on("remembered settings shown", () => { if (current) soon(); });
  addEventListener("pagehide", save);
  document.addEventListener("visibilitychange", () => { if (document.visibilityState === "hidden") save(); });
  byId("session-new").addEventListener("click", () => {
    byId("history").close();
    newSession();
    Object.assign(state, { columns: [], composed: false });
    updateSettings({ ...DEFAULTS, model: state.settings.model });
    history.pushState(null, "", location.pathname);
    emit("columns");
    emit("shown");
  });
  byId("open-history").addEventListener("click", () => list().catch((error) => showError("compose-error", error)));
}

async function list() {
  await save();
  const rows = (await sessions()).map((one) => {
    const name = make("input", { type: "text", value: one.name, maxlength: 80, "aria-label": `Name of the session ${one.name}`, onchange: (event) => rename(one.id, event.target.value.trim() || one.name) });
    const facts = make("span", {}, `${one.count} steps · ${new Date(one.changed).toLocaleString([], { dateStyle: "medium", timeStyle: "short" })}`);
    const button = make("button", { type: "button", onclick: () => choose(one.id) }, one.id === current?.id ? "Open now" : "Open");
    button.disabled = one.id === current?.id;
    const close = make("button", { type: "button", onclick: () => remove(one.id), "aria-label": `Delete the session ${one.name}` }, "Delete");
    close.disabled = one.id === current?.id;
    return make("li", {}, name, facts, make("div", { class: "row small" }, button, close));
  });
  byId("sessions").replaceChildren(...rows);
}

async function choose(id) {
  await save();
  const before = release;
  release = null;
  if (await openSession(id)) {
    before?.();
    byId("history").close();
    return;
  }
  release = before;
  showError("session-error", { message: "This session is open in another tab", hint: "close it there first" });
}

async function rename(id, name) {
  if (id === current?.id) {
    current.name = name;
    await save();
    return;
  }
  await within("readwrite", async (data, names) => {
    const [saved, row] = await Promise.all([done(data.get(id)), done(names.get(id))]);
    data.put({ ...saved, name });
    return done(names.put({ ...row, name }));
  });
}

async function remove(id) {
  await forgetSession(id);
  await list();
}
