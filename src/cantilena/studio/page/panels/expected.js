// What a model expected at each step of a melody; asked for once a candidate.

import { ask } from "/page/api.js";

const tables = new WeakMap();

/** The table of a candidate's melody: `{ low, step_ticks, pitches }`, a row a step and one for what may come after. */
export function expectedIn(candidate) {
  if (!tables.has(candidate)) {
    const made = ask("/api/probabilities", { body: { model: candidate.model, melody: { ...candidate.melody, title: "" } } });
    made.catch(() => tables.delete(candidate));
    tables.set(candidate, made);
  }
  return tables.get(candidate);
}

/** How likely the model held each note of a melody that it has not composed. */
export async function chancesIn(candidate) {
  const { low, step_ticks: step, pitches } = await expectedIn(candidate);
  return candidate.melody.notes.map((note) => pitches[Math.floor(note.onset / step)]?.[Math.max(...note.pitches) - low] ?? 0);
}
