// What was composed on this computer: the server keeps it, the drawer shows it.

import { ask } from "/page/api.js";
import { open } from "/page/compose.js";
import { byId, complain, make, sign } from "/page/elements.js";
import { written } from "/page/link.js";
import { keyTitle, modelTitle } from "/page/settings.js";
import { DEFAULTS, set, shownIn, state, tell } from "/page/state.js";

const PART = 50;
let entries = [], total = 0;

const bare = ({ id, kept, entry, settings, ...candidate }) => candidate;

/** Write down what a column shows. */
export async function remember(column, settings, { isRestored = false } = {}) {
  const candidate = shownIn(column);
  if (!candidate || candidate.entry || isRestored) return;
  await write(candidate, settings, false);
}

async function write(candidate, settings, kept) {
  try {
    const { entry } = await ask("/api/history", { body: { candidate: bare(candidate), settings: settings ?? {}, kept, title: candidate.melody.title ?? "" } });
    candidate.entry = entry.id;
  } catch (error) {
    complain("compose-error", error);
  }
}

/** Keep a candidate, or no longer. */
export async function keep(column, candidate) {
  if (!candidate) return;
  candidate.kept = !candidate.kept;
  tell("kept");
  if (candidate.entry) await change(candidate.entry, { kept: candidate.kept });
  else await write(candidate, candidate.settings ?? column.settings, candidate.kept);
}

async function change(id, changes) {
  try {
    await ask(`/api/history/${id}`, { method: "PATCH", body: changes });
  } catch (error) {
    complain("compose-error", error);
  }
}

/** Listen to the drawer. */
export function listenToHistory() {
  byId("open-history").addEventListener("click", async () => {
    byId("history").showModal();
    await load();
  });
  byId("older").addEventListener("click", () => load({ isMore: true }));
}

async function load({ isMore = false } = {}) {
  const before = isMore && entries.length ? `&before=${Math.min(...entries.map((entry) => entry.id))}` : "";
  try {
    const answer = await ask(`/api/history?limit=${PART}${before}`);
    entries = isMore ? [...entries, ...answer.entries] : answer.entries;
    total = answer.total ?? entries.length;
    byId("older").hidden = answer.entries.length < PART || entries.length >= total;
    show();
  } catch (error) {
    byId("no-entries").hidden = false;
    byId("no-entries").textContent = error.message;
  }
}

function show() {
  const order = [...entries].sort((a, b) => Number(b.kept) - Number(a.kept) || b.id - a.id);
  byId("no-entries").hidden = order.length > 0;
  byId("entries").replaceChildren(...order.map(row));
}

function row(entry) {
  const { melody } = entry.candidate;
  const name = entry.title || `${keyTitle(melody.key) || "No key"}, ${melody.meter}`;
  const made = new Date(entry.made).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  const facts = [entry.candidate.model ? modelTitle(entry.candidate.model) : "", `${melody.notes.length} notes`, made].filter(Boolean).join(" · ");
  const star = make("button", { type: "button", class: "icon keep", "aria-label": `Keep ${name}`, "aria-pressed": String(entry.kept), onclick: async () => {
    entry.kept = !entry.kept;
    show();
    await change(entry.id, { kept: entry.kept });
    for (const column of state.columns) for (const one of column.candidates) if (one.entry === entry.id) one.kept = entry.kept;
    tell("kept");
  } }, sign("star"));
  const away = make("button", { type: "button", class: "icon shut", "aria-label": `Delete ${name}`, onclick: async () => {
    await ask(`/api/history/${entry.id}`, { method: "DELETE" }).catch((error) => complain("compose-error", error));
    entries = entries.filter((one) => one !== entry);
    show();
  } }, sign("shut"));
  const opened = make("button", { type: "button", class: "open", onclick: () => restore(entry, name) }, make("b", {}, name), make("span", {}, facts));
  return make("li", {}, star, opened, away);
}

function restore(entry, name) {
  byId("history").close();
  const { candidate, settings } = entry;
  set({ ...DEFAULTS, rules: {}, only: [], model: state.settings.model, ...settings });
  tell("rules");
  history.pushState(null, "", written(state.settings, candidate.number ? { show: candidate.number } : {}));
  const one = open(candidate.melody, { title: candidate.model ? modelTitle(candidate.model) : name, model: candidate.model ?? state.settings.model, candidate: { ...candidate, foreign: candidate.foreign ?? false } });
  Object.assign(one, { kept: entry.kept, entry: entry.id, settings: { ...DEFAULTS, ...settings } });
  tell("kept");
}
