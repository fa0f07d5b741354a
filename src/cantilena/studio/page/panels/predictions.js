// The model's predictions at each step of a melody; requested once per candidate.

import { request } from "/page/api.js";

const tables = new WeakMap();

/** The predictions for a candidate: `{ low, step_ticks, pitches }`, one row per step and one after the end. */
export function predictionsFor(candidate) {
  if (!tables.has(candidate)) {
    const table = request("/api/probabilities", { body: { model: candidate.model, melody: { ...candidate.melody, title: "" } } });
    table.catch(() => tables.delete(candidate));
    tables.set(candidate, table);
  }
  return tables.get(candidate);
}

/** The probability of each note of a melody that was not composed here. */
export async function noteProbabilities(candidate) {
  const { low, step_ticks: step, pitches } = await predictionsFor(candidate);
  return candidate.melody.notes.map((note) => pitches[Math.floor(note.onset / step)]?.[Math.max(...note.pitches) - low] ?? 0);
}
