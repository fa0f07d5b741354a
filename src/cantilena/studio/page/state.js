// The state of the page, and events when it changes: `on("tick", redraw)`, `emit("tick")`.

import { meterTicks } from "/page/music/music.js";

const listeners = new Map();

/** Call a function at each of these events. */
export function on(events, listener) {
  for (const event of events.split(" ")) listeners.set(event, [...(listeners.get(event) ?? []), listener]);
}

/** Call the listeners of an event. */
export function emit(event, ...details) {
  for (const listener of listeners.get(event) ?? []) listener(...details);
}

/** The default settings; "" leaves a choice to the primer or the model. */
export const DEFAULTS = Object.freeze({
  model: "", compare: "", primer: "", idea: null, key: "", meter: "", bars: 8, form: "auto", cadences: Object.freeze([]), ending: "auto", chords: "", tempo: "", range: "", style: "",
  temperature: 1, top_k: 0, top_p: 1, greedy: false, constrain: "", with_primer: true, seed: 1, count: 4,
  set: "cantilena", rules: Object.freeze({}), only: Object.freeze([]),
});

/** A primer for the first visit. */
export const EXAMPLE = "E4 G4 A4/4. B4/8 A4 G4 E4/2";

/**
 * `columns` has one column, or two that are compared: `{ title, model, candidates, chosen, tick, selection, numbers }`;
 * `selection` has bars, `numbers` those of notes. A candidate is that of the server, with `id`, `kept`, `entry` (its id in
 * the history), `locks` (for each note what a rewrite keeps, or "") and `isEdited`.
 */
export const state = {
  settings: { ...DEFAULTS },
  models: [],
  sets: [],
  columns: [],
  active: 0,
  colour: "none",
  rule: "",
  busy: false,
  playing: false,
  together: false,
  composed: false,
  editing: false,
};

/** Change some settings. */
export function updateSettings(changes) {
  Object.assign(state.settings, changes);
  emit("settings", changes);
}

/** Whether the last note ends before a half of the last bar is over: rules say what is there, not what is missing. */
function stopsWithinBar({ notes, meter, length }) {
  const last = notes.at(-1), { bar } = meterTicks(meter);
  return Boolean(last) && length - (last.onset + last.duration) > bar / 2;
}

let lastId = 0;

/** Number new candidates after these. */
export function countFrom(candidates) {
  lastId = Math.max(lastId, ...candidates.map((candidate) => candidate.id));
}

/** Create a candidate of the page from one of the server. */
export function newCandidate(candidate, more = {}) {
  lastId += 1;
  return { id: lastId, kept: false, entry: null, ...candidate, ...more };
}

/** The active column. */
export const activeColumn = () => state.columns[state.active] ?? null;

/** The candidate that a column shows. */
export const shownCandidate = (column) => column?.candidates.find((one) => one.id === column.chosen) ?? null;

/** The candidate that the active column shows. */
export const currentCandidate = () => shownCandidate(activeColumn());

/** The rules for a request. */
export function rulesBody() {
  const { set: name, rules, only } = state.settings;
  return { set: name, weights: rules, ...(only.length ? { only } : {}) };
}

/** The model with a name; null if there is none. */
export const modelNamed = (name) => state.models.find((model) => model.name === name) ?? null;

/** The candidates of a column, the best by the rules first; those that stop within a bar come last. */
export function ranked(column) {
  const total = (candidate) => candidate.verdict?.total ?? -Infinity;
  return [...column.candidates].sort((a, b) => stopsWithinBar(a.melody) - stopsWithinBar(b.melody) || total(b) - total(a) || a.id - b.id);
}

/** Move the cursor of a column. */
export function moveCursor(column, tick, { quiet = false } = {}) {
  const melody = shownCandidate(column)?.melody;
  column.tick = Math.max(0, Math.min(tick, melody ? melody.length : 0));
  emit("tick", column, quiet);
}

/** Select bars of a column; null clears the selection. */
export function selectBars(column, selection) {
  column.selection = selection;
  emit("selection", column);
}

/** Select notes of a column by their numbers. */
export function pickNotes(column, numbers) {
  column.numbers = [...numbers].sort((a, b) => a - b);
  emit("picked", column);
}

/** Replace a candidate of a column by one with some changes; the melody itself is never changed in place. */
export function changeCandidate(column, candidate, changes) {
  const next = { ...candidate, ...changes };
  column.candidates = column.candidates.map((one) => (one.id === candidate.id ? next : one));
  emit("shown", column);
  return next;
}

/** Draw a seed: short enough to be read aloud. */
export const drawSeed = () => 1 + Math.floor(Math.random() * 999_999);

/** Show another candidate. */
export function showCandidate(column, candidate) {
  column.chosen = candidate?.id ?? null;
  column.tick = 0;
  column.selection = null;
  column.numbers = [];
  state.active = Math.max(0, state.columns.indexOf(column));
  emit("shown", column);
}
