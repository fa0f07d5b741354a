// What the page knows, and who wants to hear of a change: `on("tick", redraw)`, `tell("tick")`.

const listeners = new Map();

/** Call a function whenever one of these topics is told. */
export function on(topics, listener) {
  for (const topic of topics.split(" ")) listeners.set(topic, [...(listeners.get(topic) ?? []), listener]);
}

/** Say that something has changed. */
export function tell(topic, ...details) {
  for (const listener of listeners.get(topic) ?? []) listener(...details);
}

/** Settings as they are where nobody says otherwise; "" leaves a choice to the primer or the model. */
export const DEFAULTS = Object.freeze({
  model: "", compare: "", primer: "", idea: null, key: "", meter: "", bars: 8, tempo: "", range: "", style: "",
  temperature: 1, top_k: 0, top_p: 1, greedy: false, constrain: "", with_primer: true, seed: 1, count: 4,
  set: "cantilena", rules: Object.freeze({}), only: Object.freeze([]),
});

/** A beginning for somebody who comes for the first time. */
export const EXAMPLE = "E4 G4 A4/4. B4/8 A4 G4 E4/2";

/**
 * A column of the page: `{ title, model, candidates, chosen, tick, selection }`.
 * There is one, or two that are compared. A candidate is the server's, and `id`, `kept`, `entry` beside.
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
  composed: false,
};

/** Change some settings. */
export function set(changes) {
  Object.assign(state.settings, changes);
  tell("settings", changes);
}

let last = 0;

/** A candidate of the server as the page keeps it. */
export function candidateOf(sent, more = {}) {
  last += 1;
  return { id: last, kept: false, entry: null, ...sent, ...more };
}

/** The column that is being listened to. */
export const activeColumn = () => state.columns[state.active] ?? null;

/** The candidate that a column shows. */
export const shownIn = (column) => column?.candidates.find((one) => one.id === column.chosen) ?? null;

/** The candidate that is being listened to. */
export const shown = () => shownIn(activeColumn());

/** The rules as requests name them. */
export function rulesAsked() {
  const { set: name, rules, only } = state.settings;
  return { set: name, weights: rules, ...(only.length ? { only } : {}) };
}

/** A model by name. */
export const modelNamed = (name) => state.models.find((model) => model.name === name) ?? null;

/** Candidates of a column, those that the rules like best first. */
export function ranked(column) {
  const worth = (one) => one.verdict?.total ?? -Infinity;
  return [...column.candidates].sort((a, b) => worth(b) - worth(a) || a.id - b.id);
}

/** Put the cursor of a column somewhere. */
export function moveCursor(column, tick, { quiet = false } = {}) {
  const melody = shownIn(column)?.melody;
  column.tick = Math.max(0, Math.min(tick, melody ? melody.length : 0));
  tell("tick", column, quiet);
}

/** Choose bars of a column; null lets go of them. */
export function select(column, selection) {
  column.selection = selection;
  tell("selection", column);
}

/** Show another candidate. */
export function choose(column, candidate) {
  column.chosen = candidate?.id ?? null;
  column.tick = 0;
  column.selection = null;
  state.active = Math.max(0, state.columns.indexOf(column));
  tell("shown", column);
}
