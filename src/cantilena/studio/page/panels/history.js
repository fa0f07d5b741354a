// The history of melodies: stored by the server, shown in a drawer.

import { request } from "/page/api.js";
import { openMelody } from "/page/compose.js";
import { byId, showError, make, icon } from "/page/elements.js";
import { toHash } from "/page/link.js";
import { barsOf } from "/page/music/music.js";
import { smallRoll } from "/page/music/roll.js";
import { keyTitle, modelTitle } from "/page/settings.js";
import { DEFAULTS, updateSettings, shownCandidate, state, emit } from "/page/state.js";

const PAGE_SIZE = 50;
let entries = [], total = 0;

const withoutPageFields = ({ id, kept, entry, settings, locks, isEdited, ...candidate }) => (isEdited ? { ...candidate, foreign: true } : candidate);

/** Add what a column shows to the history. */
export async function addToHistory(column, settings, { isRestored = false } = {}) {
  const candidate = shownCandidate(column);
  if (!candidate || candidate.entry || isRestored) return;
  await add(candidate, settings, false);
}

async function add(candidate, settings, kept) {
  try {
    const { entry } = await request("/api/history", { body: { candidate: withoutPageFields(candidate), settings: settings ?? {}, kept, title: candidate.melody.title ?? "" } });
    candidate.entry = entry.id;
  } catch (error) {
    showError("compose-error", error);
  }
}

/** Keep a candidate, or stop keeping it. */
export async function toggleKept(column, candidate) {
  if (!candidate) return;
  candidate.kept = !candidate.kept;
  emit("kept");
  if (candidate.entry) await change(candidate.entry, { kept: candidate.kept });
  else await add(candidate, candidate.settings ?? column.settings, candidate.kept);
}

async function change(id, changes) {
  try {
    await request(`/api/history/${id}`, { method: "PATCH", body: changes });
  } catch (error) {
    showError("compose-error", error);
  }
}

/** Set up the drawer. */
export function initHistory() {
  byId("open-history").addEventListener("click", async () => {
    byId("history").showModal();
    await load();
  });
  byId("entries-filter").addEventListener("input", show);
  byId("entries-kept").addEventListener("change", show);
  byId("older").addEventListener("click", () => load({ isMore: true }));
}

async function load({ isMore = false } = {}) {
  const before = isMore && entries.length ? `&before=${Math.min(...entries.map((entry) => entry.id))}` : "";
  try {
    const answer = await request(`/api/history?limit=${PAGE_SIZE}${before}`);
    entries = isMore ? [...entries, ...answer.entries] : answer.entries;
    total = answer.total ?? entries.length;
    byId("older").hidden = answer.entries.length < PAGE_SIZE || entries.length >= total;
    show();
  } catch (error) {
    byId("no-entries").hidden = false;
    byId("no-entries").textContent = error.message;
  }
}

function show() {
  const wanted = byId("entries-filter").value.trim().toLowerCase(), isKept = byId("entries-kept").checked;
  const order = entries.filter((entry) => (!isKept || entry.kept) && factsOf(entry).join(" ").toLowerCase().includes(wanted))
    .sort((a, b) => Number(b.kept) - Number(a.kept) || b.id - a.id);
  byId("no-entries").hidden = order.length > 0;
  byId("no-entries").textContent = entries.length ? "No melody like that." : "Nothing yet. Melodies that you compose appear here.";
  byId("entries").replaceChildren(...order.map(row));
}

// The title of an entry, its key and meter, its model, its size, and when it was made.
function factsOf({ title, made, candidate: { melody, model } }) {
  const when = new Date(made).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  return [title, `${keyTitle(melody.key) || "No key"}, ${melody.meter}`, model ? modelTitle(model) : "", `${barsOf(melody).length} bars`, when].filter(Boolean);
}

function row(entry) {
  const { candidate } = entry, facts = factsOf(entry), [name] = facts;
  const star = make("button", { type: "button", class: "icon keep", "aria-label": `Keep ${name}`, "aria-pressed": String(entry.kept), onclick: async () => {
    entry.kept = !entry.kept;
    show();
    await change(entry.id, { kept: entry.kept });
    for (const column of state.columns) for (const one of column.candidates) if (one.entry === entry.id) one.kept = entry.kept;
    emit("kept");
  } }, icon("star"));
  const close = make("button", { type: "button", class: "icon close", "aria-label": `Delete ${name}`, onclick: async () => {
    await request(`/api/history/${entry.id}`, { method: "DELETE" }).catch((error) => showError("compose-error", error));
    entries = entries.filter((one) => one !== entry);
    show();
  } }, icon("close"));
  const opened = make("button", { type: "button", class: "open", "aria-label": `Open ${name}`, onclick: () => restore(entry, name) }, smallRoll(candidate, candidate.melody.length), make("span", {}, facts.join(" · ")));
  const title = make("input", { type: "text", value: entry.title, maxlength: 200, placeholder: "Name it", "aria-label": `Title of ${name}`, onchange: async (event) => {
    entry.title = event.target.value.trim();
    await change(entry.id, { title: entry.title });
    show();
  } });
  return make("li", {}, star, make("div", {}, title, opened), close);
}

function restore(entry, name) {
  byId("history").close();
  const { candidate, settings } = entry;
  updateSettings({ ...DEFAULTS, rules: {}, only: [], model: state.settings.model, ...settings });
  emit("rules");
  history.pushState(null, "", toHash(state.settings, candidate.number ? { show: candidate.number } : {}));
  const one = openMelody(candidate.melody, { title: candidate.model ? modelTitle(candidate.model) : name, model: candidate.model ?? state.settings.model, candidate: { ...candidate, foreign: candidate.foreign ?? false } });
  Object.assign(one, { kept: entry.kept, entry: entry.id, settings: { ...DEFAULTS, ...settings } });
  emit("kept");
}
