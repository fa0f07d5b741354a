// The model's predictions at each step of a melody; requested once per candidate.

import { request } from "/page/api.js";

const tables = new WeakMap();

/** The predictions for a candidate: `{ low, step_ticks, pitches, notes }`, one row per step and one after the end. */
export function predictionsFor(candidate) {
  if (!tables.has(candidate)) {
    const { model, melody, conditioning } = candidate;
    const table = request("/api/probabilities", { body: { model, melody: { ...melody, title: "" }, conditioning } });
    table.catch(() => tables.delete(candidate));
    tables.set(candidate, table);
  }
  return tables.get(candidate);
}

/** The probability of each note of a melody that was not composed here. */
export const noteProbabilities = async (candidate) => (await predictionsFor(candidate)).notes;
