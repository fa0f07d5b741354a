// Edits of melodies, as functions: none changes its arguments. A melody has one note or chord at a time: a note that is
// moved, resized or inserted ends or replaces what it meets.
//
// An edit is `{ melody, from, numbers }`: `from` has for each note the number it had before, or -1, and `numbers` are those
// of the edited notes.

import { barsOf, meterTicks } from "/page/music/music.js";

export const GRID = 6; // a sixteenth
const LOWEST = 21, HIGHEST = 108, MOST_BARS = 200;
const SCALES = {
  major: [0, 2, 4, 5, 7, 9, 11], minor: [0, 2, 3, 5, 7, 8, 10], dorian: [0, 2, 3, 5, 7, 9, 10], phrygian: [0, 1, 3, 5, 7, 8, 10],
  lydian: [0, 2, 4, 6, 7, 9, 11], mixolydian: [0, 2, 4, 5, 7, 9, 10], locrian: [0, 1, 3, 5, 6, 8, 10],
};
const TONICS = { C: 0, D: 2, E: 4, F: 5, G: 7, A: 9, B: 11 };

/** The pitch classes of a key, from its tonic on; those of C major for no key. */
export function scaleOf(key) {
  const [, letter, change, mode] = /^([A-G])(#|b|)\s*(\w*)/.exec(key || "C major") ?? [null, "C", "", "major"];
  const tonic = TONICS[letter] + ({ "#": 1, b: -1 }[change] ?? 0);
  return (SCALES[mode] ?? SCALES.major).map((step) => (tonic + step + 12) % 12);
}

/** The pitch so many steps of a key above another; from a pitch outside the key the next one in it counts as a step. */
export function stepsAbove(pitch, steps, key) {
  const scale = new Set(scaleOf(key)), direction = Math.sign(steps);
  let left = Math.abs(steps), found = pitch;
  while (left > 0) {
    found += direction;
    if (found < 0 || found > 127) return pitch;
    if (scale.has(found % 12)) left -= 1;
  }
  return found;
}

const isPlayable = (pitch) => pitch >= LOWEST && pitch <= HIGHEST;

// Notes with the number each had before, in order; those in `over` win against others that they meet.
function arranged(melody, entries, over) {
  const kept = [];
  const wins = entries.filter((entry) => over.has(entry)).sort((a, b) => a.note.onset - b.note.onset);
  for (const [at, entry] of wins.entries()) {
    const next = wins[at + 1], { note } = entry;
    if (next && next.note.onset === note.onset) continue;
    kept.push(next && next.note.onset < note.onset + note.duration ? { ...entry, note: { ...note, duration: next.note.onset - note.onset } } : entry);
  }
  for (const entry of entries.filter((one) => !over.has(one))) {
    for (const note of pieces(entry.note, kept.filter((one) => one.wins ?? true).map((one) => one.note))) kept.push({ ...entry, note, wins: false });
  }
  kept.sort((a, b) => a.note.onset - b.note.onset);
  const { bar } = meterTicks(melody.meter), end = kept.length ? kept.at(-1).note.onset + kept.at(-1).note.duration : 0;
  const pickup = melody.pickup % bar, whole = end > melody.length ? Math.ceil((end - pickup) / bar) * bar + pickup : melody.length;
  if (whole > MOST_BARS * bar + pickup) return null;
  return {
    melody: { ...melody, notes: kept.map((entry) => entry.note), length: whole },
    from: kept.map((entry) => entry.from),
    numbers: kept.flatMap((entry, number) => (entry.wins === false ? [] : [number])),
  };
}

// What others leave of a note: its beginning, or if that is covered its end.
function pieces(note, others) {
  const end = note.onset + note.duration;
  const meets = others.filter((other) => other.onset < end && other.onset + other.duration > note.onset);
  if (!meets.length) return [note];
  const first = Math.min(...meets.map((other) => other.onset)), last = Math.max(...meets.map((other) => other.onset + other.duration));
  if (first > note.onset) return [{ ...note, duration: first - note.onset }];
  return last < end && meets.length === 1 ? [{ ...note, onset: last, duration: end - last }] : [];
}

const entriesOf = (melody) => melody.notes.map((note, from) => ({ note, from }));

// Change some notes; null if one would leave the melody or the piano.
function changed(melody, numbers, change) {
  const chosen = new Set(numbers), over = new Set(), entries = [];
  for (const entry of entriesOf(melody)) {
    if (!chosen.has(entry.from)) {
      entries.push(entry);
      continue;
    }
    const note = change(entry.note);
    if (!note || note.onset < 0 || note.duration < 1 || !note.pitches.every(isPlayable)) return null;
    const one = { note: { ...note, pitches: [...new Set(note.pitches)].sort((a, b) => a - b) }, from: entry.from };
    entries.push(one);
    over.add(one);
  }
  return over.size ? arranged(melody, entries, over) : null;
}

/** Move notes in time and pitch. */
export function moved(melody, numbers, { ticks = 0, semitones = 0, steps = 0 }) {
  return changed(melody, numbers, (note) => ({
    ...note,
    onset: note.onset + ticks,
    pitches: note.pitches.map((pitch) => (steps ? stepsAbove(pitch, steps, melody.key) : pitch + semitones)),
  }));
}

/** Make notes longer or shorter by some ticks; none becomes shorter than a sixteenth. */
export function resized(melody, numbers, ticks) {
  return changed(melody, numbers, (note) => ({ ...note, duration: Math.max(note.duration + ticks, Math.min(GRID, note.duration)) }));
}

/** Move notes that are not in the key to the nearest pitch that is, the lower of two. */
export function intoKey(melody, numbers) {
  const scale = new Set(scaleOf(melody.key));
  const nearest = (pitch) => [pitch, pitch - 1, pitch + 1, pitch - 2, pitch + 2].find((one) => scale.has((one + 12) % 12)) ?? pitch;
  return changed(melody, numbers, (note) => ({ ...note, pitches: note.pitches.map(nearest) }));
}

/** Insert a note. */
export function inserted(melody, note) {
  if (note.onset < 0 || !note.pitches.every(isPlayable)) return null;
  const one = { note, from: -1 };
  return arranged(melody, [...entriesOf(melody), one], new Set([one]));
}

/** Remove notes; the others stay where they are. */
export function removed(melody, numbers) {
  const gone = new Set(numbers), entries = entriesOf(melody).filter((entry) => !gone.has(entry.from));
  return entries.length ? { melody: { ...melody, notes: entries.map(({ note }) => note) }, from: entries.map(({ from }) => from), numbers: [] } : null;
}

/** Split notes in two; at the cursor if it lies within one, else in the middle, on a sixteenth if they are long enough. */
export function split(melody, numbers, tick = -1) {
  const chosen = new Set(numbers), entries = [], new_ = [];
  for (const { note, from } of entriesOf(melody)) {
    const isWithin = tick > note.onset && tick < note.onset + note.duration;
    const half = Math.floor(note.duration / 2 / GRID) * GRID || Math.floor(note.duration / 2);
    const first = isWithin ? tick - note.onset : half;
    if (!chosen.has(from) || first < 1) {
      entries.push({ note, from });
      continue;
    }
    new_.push(entries.length, entries.length + 1);
    entries.push({ note: { ...note, duration: first }, from }, { note: { ...note, onset: note.onset + first, duration: note.duration - first }, from });
  }
  return new_.length ? { melody: { ...melody, notes: entries.map(({ note }) => note) }, from: entries.map(({ from }) => from), numbers: new_ } : null;
}

/** Notes to paste elsewhere: `{ notes, length }`, from the first of them on. */
export function copied(melody, numbers) {
  const notes = numbers.map((number) => melody.notes[number]).filter(Boolean).sort((a, b) => a.onset - b.onset);
  if (!notes.length) return null;
  const start = notes[0].onset, end = Math.max(...notes.map((note) => note.onset + note.duration));
  return { notes: notes.map((note) => ({ ...note, onset: note.onset - start })), length: end - start };
}

/** Paste notes at a tick; what lies under them goes. */
export function pasted(melody, clip, tick) {
  const added = clip.notes.map((note) => ({ note: { ...note, onset: note.onset + tick }, from: -1 }));
  const isUnder = ({ note }) => note.onset >= tick && note.onset < tick + clip.length;
  return arranged(melody, [...entriesOf(melody).filter((entry) => !isUnder(entry)), ...added], new Set(added));
}

/** The numbers of the notes that begin in some bars. */
export function notesOfBars(melody, { first, last }) {
  const bars = barsOf(melody).filter((bar) => bar.number >= first && bar.number <= last);
  if (!bars.length) return [];
  return melody.notes.flatMap((note, number) => (note.onset >= bars[0].start && note.onset < bars.at(-1).end ? [number] : []));
}

/** The locks of a melody after an edit: `locks` has for each note what is kept of it, or "". */
export const locksAfter = (locks, from) => from.map((number) => locks?.[number] ?? "");

/** Locks as a rewrite takes them. */
export function locksBody(locks) {
  return ["notes", "rhythm", "contour"]
    .map((kind) => ({ kind, notes: (locks ?? []).flatMap((one, number) => (one === kind ? [number] : [])) }))
    .filter(({ notes }) => notes.length);
}
