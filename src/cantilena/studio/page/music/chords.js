// Chords over a melody: which of them sounds at a note, and whether the note belongs to it.

const ROOTS = { C: 0, D: 2, E: 4, F: 5, G: 7, A: 9, B: 11 };
const TONES = {
  "": [0, 4, 7], m: [0, 3, 7], dim: [0, 3, 6], aug: [0, 4, 8], 7: [0, 4, 7, 10], maj7: [0, 4, 7, 11], m7: [0, 3, 7, 10],
  m7b5: [0, 3, 6, 10], dim7: [0, 3, 6, 9], sus2: [0, 2, 7], sus4: [0, 5, 7], "7sus4": [0, 5, 7, 10],
};

/** The pitch classes of a chord symbol as the server writes it; null for N.C. */
export function chordTones(symbol) {
  const [, letter, sign, suffix] = /^([A-G])([#b]?)([^/]*)/.exec(symbol) ?? [];
  const tones = letter && TONES[suffix];
  if (!tones) return null;
  const root = ROOTS[letter] + ({ "#": 1, b: -1 }[sign] ?? 0);
  return new Set(tones.map((tone) => (root + tone + 12) % 12));
}

/** The symbol of the chord that sounds at a tick; "" if there is none. */
export const chordAt = (melody, tick) => (melody.chords ?? []).findLast((chord) => chord.onset <= tick)?.symbol ?? "";

/** Whether a note belongs to the chord that sounds when it begins; null if none sounds. */
export function isChordTone(melody, note) {
  const tones = note ? chordTones(chordAt(melody, note.onset)) : null;
  return tones && note.pitches.every((pitch) => tones.has(pitch % 12));
}

/** A chord symbol as it is printed, with ♯ and ♭. */
export const chordTitle = (symbol) => symbol.replace(/(?<=[A-G])b|b(?=\d)/g, "♭").replaceAll("#", "♯");

/** The chords of bars as one text to compose over: an empty bar repeats the chord before, N.C. at the start. */
export function leadSheet(bars) {
  let last = "N.C.";
  return bars.map((text) => {
    const bar = text.trim() || last;
    last = bar.split(/\s+/).at(-1);
    return bar;
  }).join(" | ");
}
