// What the editor does to the melody of a column: each command is one step for undo.

import { announce, byId, debounced, make, showError } from "/page/elements.js";
import { copied, GRID, inserted, intoKey, locksAfter, locksBody, moved, notesOfBars, pasted, removed, resized, split } from "/page/editing/edits.js";
import { remember } from "/page/editing/undo.js";
import { pitchName, positionText } from "/page/music/music.js";
import { playNote } from "/page/music/player.js";
import { noteProbabilities } from "/page/panels/predictions.js";
import { changeCandidate, emit, modelNamed, moveCursor, pickNotes, shownCandidate, state } from "/page/state.js";

let clip = null;

/** Apply an edit of `edits.js` to the melody that a column shows; `label` says what it was. */
export function apply(column, edit, label, kind = "") {
  const candidate = shownCandidate(column);
  if (!candidate || state.busy) return false;
  if (!edit) {
    announce(`${label}: not possible here.`);
    return false;
  }
  const known = candidate.probabilities ?? [];
  changeCandidate(column, candidate, {
    melody: edit.melody, locks: locksAfter(candidate.locks, edit.from), isEdited: true, verdict: null,
    probabilities: edit.from.map((number) => known[number] ?? null),
  });
  pickNotes(column, edit.numbers);
  remember(label, kind);
  emit("edited", column);
  return true;
}

const update = debounced(async (column) => {
  const candidate = shownCandidate(column);
  if (!candidate?.isEdited || !modelNamed(candidate.model)) return;
  const probabilities = await noteProbabilities(candidate).catch(() => null);
  if (!probabilities || shownCandidate(column) !== candidate) return;
  candidate.probabilities = probabilities;
  emit("verdicts");
}, 400);

/** After an edit, ask for the probabilities of its notes when no other edit follows soon. */
export const updateSoon = (column) => update(column);

const melodyOf = (column) => shownCandidate(column)?.melody ?? null;

/** The selected notes; of selected bars all, if no note is. */
export function numbersOf(column) {
  const melody = melodyOf(column);
  if (!melody) return [];
  if (column.numbers?.length) return column.numbers.filter((number) => number < melody.notes.length);
  return column.selection ? notesOfBars(melody, column.selection) : [];
}

function sound(column) {
  const note = melodyOf(column)?.notes[column.numbers?.[0]];
  if (!note || column.numbers.length > 1 || state.playing) return;
  const release = note.pitches.map(playNote);
  setTimeout(() => release.forEach((call) => call()), 250);
}

function announceNote(column) {
  const melody = melodyOf(column), note = melody?.notes[column.numbers?.[0]];
  if (note && column.numbers.length === 1) announce(`${note.pitches.map((pitch) => pitchName(pitch, melody.key)).join(" ")}, ${positionText(melody, note.onset)}.`);
}

/** Change the selected notes: `move` with `{ ticks, semitones, steps }`, `resize` with `{ longer }`, `insert` with `{ tick, pitch }`. */
export function change(column, kind, { ticks = 0, semitones = 0, steps = 0, longer = 0, tick = 0, pitch = 60 }) {
  const melody = melodyOf(column), numbers = numbersOf(column);
  if (!melody) return;
  if (kind === "insert") {
    const length = Number(byId("note-length").value), onset = Math.floor(tick / GRID) * GRID;
    if (apply(column, inserted(melody, { onset, duration: length > 0 ? length : 4 * GRID, pitches: [pitch] }), "Insert a note")) sound(column);
    return;
  }
  if (!numbers.length) return;
  if (kind === "resize") apply(column, resized(melody, numbers, longer), longer > 0 ? "Make notes longer" : "Make notes shorter", "resize");
  else if (apply(column, moved(melody, numbers, { ticks, semitones, steps }), steps || semitones ? "Move notes in pitch" : "Move notes in time", "move") && (steps || semitones)) sound(column);
  announceNote(column);
}

/** The commands of the toolbar and the keyboard. */
export const COMMANDS = {
  all: (column) => pickNotes(column, (melodyOf(column)?.notes ?? []).map((_, number) => number)),
  delete: (column) => apply(column, removed(melodyOf(column), numbersOf(column)), "Delete notes"),
  split: (column) => apply(column, split(melodyOf(column), numbersOf(column), column.tick), "Split notes"),
  up: (column) => change(column, "move", { steps: 1 }),
  down: (column) => change(column, "move", { steps: -1 }),
  "semitone-up": (column) => change(column, "move", { semitones: 1 }),
  "semitone-down": (column) => change(column, "move", { semitones: -1 }),
  "octave-up": (column) => change(column, "move", { semitones: 12 }),
  "octave-down": (column) => change(column, "move", { semitones: -12 }),
  earlier: (column) => change(column, "move", { ticks: -GRID }),
  later: (column) => change(column, "move", { ticks: GRID }),
  longer: (column) => change(column, "resize", { longer: GRID }),
  shorter: (column) => change(column, "resize", { longer: -GRID }),
  "into-key": (column) => apply(column, intoKey(melodyOf(column), numbersOf(column)), "Move notes into the key"),
  copy(column) {
    const found = copied(melodyOf(column), numbersOf(column));
    if (!found) return;
    clip = found;
    emit("clip");
    announce(`${clip.notes.length} notes copied.`);
  },
  cut(column) {
    COMMANDS.copy(column);
    COMMANDS.delete(column);
  },
  paste(column) {
    if (!clip) return;
    const melody = melodyOf(column), tick = column.numbers?.length ? melody.notes[Math.min(...column.numbers)].onset : column.tick;
    if (apply(column, pasted(melody, clip, tick), "Paste notes")) moveCursor(column, Math.min(tick + clip.length, melodyOf(column).length));
    pickNotes(column, []);
  },
  insert(column) {
    const melody = melodyOf(column), before = melody.notes.findLast((note) => note.onset <= column.tick);
    change(column, "insert", { tick: column.tick, pitch: before?.pitches.at(-1) ?? 60 });
  },
};

/** Whether there are notes to paste. */
export const hasClip = () => Boolean(clip);

/** Lock the selected notes, or unlock them with "". */
export function lock(column, kind) {
  const candidate = shownCandidate(column), numbers = numbersOf(column);
  if (!candidate || !numbers.length) return;
  const locks = candidate.melody.notes.map((_, number) => (numbers.includes(number) ? kind : candidate.locks?.[number] ?? ""));
  changeCandidate(column, candidate, { locks: locks.some(Boolean) ? locks : null });
  remember(kind ? `Lock ${kind}` : "Unlock notes");
  announce(kind ? `${numbers.length} notes: ${kind} locked.` : `${numbers.length} notes unlocked.`);
}

/** What is locked, in words. */
export function locksText(candidate) {
  const parts = locksBody(candidate?.locks).map(({ kind, notes }) => `${kind} of ${notes.length}`);
  return parts.length ? `Locked: ${parts.join(", ")}` : "";
}
