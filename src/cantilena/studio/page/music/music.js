// Notes, bars and names. Times are in ticks, 24 a quarter note.

export const QUARTER = 24;
const LETTERS = { C: 0, D: 2, E: 4, F: 5, G: 7, A: 9, B: 11 };
const SHARPS = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"];
const FLATS = ["C", "D♭", "D", "E♭", "E", "F", "G♭", "G", "A♭", "A", "B♭", "B"];
const FLAT_KEYS = /^(F|Bb|Eb|Ab|Db|Gb) major|^(D|G|C|F|Bb|Eb) minor/;
const VALUES = [96, 144, 48, 72, 24, 36, 12, 18, 6, 9, 3].sort((a, b) => b - a);
const HINT = 'write notes such as "C4 D4 E4/2 r/8", with spaces between';

/** The name of a pitch as it is printed, such as F♯4. */
export function pitchName(pitch, key = "") {
  return (FLAT_KEYS.test(key || "") ? FLATS : SHARPS)[pitch % 12] + (Math.floor(pitch / 12) - 1);
}

/** The name of a pitch in ASCII, such as F#4. */
export function asciiPitchName(pitch, key = "") {
  return pitchName(pitch, key).replace("♯", "#").replace("♭", "b");
}

/** The pitch of a name; null if it is invalid. */
export function parsePitch(name) {
  const found = /^([A-Ga-g])(##|#|bb|b|♯|♭|x)?(-?\d)$/.exec(name);
  if (!found) return null;
  const change = { "#": 1, "♯": 1, b: -1, "♭": -1, "##": 2, x: 2, bb: -2 }[found[2]] ?? 0;
  const pitch = 12 * (Number(found[3]) + 1) + LETTERS[found[1].toUpperCase()] + change;
  return pitch >= 0 && pitch <= 127 ? pitch : null;
}

/** Parse notes as text; an error says which word is not a note. */
export function parseNotes(text) {
  const notes = [];
  let time = 0;
  for (const word of text.split(/\s+/).filter(Boolean)) {
    const found = /^([^/]+?)(?:\/(\d{1,2})(\.{0,2}))?$/.exec(word);
    const names = found ? found[1].split("+") : [];
    const isRest = found && /^(r|rest)$/i.test(found[1]);
    const pitches = isRest ? [] : names.map(parsePitch);
    if (!found || pitches.includes(null)) throw Object.assign(new Error(`“${word}” is not a note`), { hint: HINT });
    const value = Number(found[2] ?? 4);
    const duration = (96 / value) * (2 - 0.5 ** (found[3] ?? "").length);
    if (![1, 2, 4, 8, 16, 32].includes(value) || !Number.isInteger(duration)) {
      throw Object.assign(new Error(`“${word}” has an unknown length`), { hint: "use /1 /2 /4 /8 or /16, with dots such as /4." });
    }
    if (!isRest) notes.push({ onset: time, duration, pitches: [...new Set(pitches)].sort((a, b) => a - b) });
    time += duration;
  }
  return { notes, key: null, meter: "4/4", tempo: 120, pickup: 0, length: time, title: "" };
}

/** The text of a note, or of a rest without pitches; "" if its duration has no note value. */
export function noteWord(pitches, duration, key = "") {
  const name = pitches.length ? pitches.map((pitch) => asciiPitchName(pitch, key)).join("+") : "r";
  if (!VALUES.includes(duration)) return "";
  const dotted = duration % 9 === 0;
  const value = 96 / (dotted ? (duration * 2) / 3 : duration);
  return value === 4 && !dotted ? name : `${name}/${value}${dotted ? "." : ""}`;
}

/** A melody as text; "" if it cannot be written as text. */
export function melodyText(melody) {
  const words = [];
  let time = 0;
  for (const note of melody.notes) {
    if (note.onset < time || note.duration < 3) return "";
    if (!addRest(words, note.onset - time)) return "";
    const word = noteWord(note.pitches, note.duration, melody.key);
    if (!word) return "";
    words.push(word);
    time = note.onset + note.duration;
  }
  return words.join(" ");
}

function addRest(words, ticks) {
  for (const value of VALUES) {
    while (ticks >= value) {
      words.push(noteWord([], value));
      ticks -= value;
    }
  }
  return ticks === 0;
}

/** Ticks of a bar and of a beat. */
export function meterTicks(meter) {
  const [over, under] = meter.split("/").map(Number);
  const unit = (4 * QUARTER) / under;
  const compound = over > 3 && over % 3 === 0 && under >= 8;
  return { bar: over * unit, beat: compound ? 3 * unit : unit };
}

/** The bars of a melody: `[{ number, start, end }]`; a pickup is bar 0. */
export function barsOf(melody) {
  const { bar } = meterTicks(melody.meter);
  const pickup = melody.pickup % bar;
  const bars = pickup ? [{ number: 0, start: 0, end: pickup }] : [];
  for (let start = pickup, number = 1; start < Math.max(melody.length, 1); start += bar, number += 1) {
    bars.push({ number, start, end: start + bar });
  }
  return bars;
}

/** The bar at a tick. */
export function barAt(melody, tick) {
  const bars = barsOf(melody);
  return bars.find((bar) => tick < bar.end) ?? bars[bars.length - 1];
}

/** The position of a tick as text: bar 3, beat 2. */
export function positionText(melody, tick) {
  const bar = barAt(melody, tick), { beat, bar: whole } = meterTicks(melody.meter);
  const into = bar.number === 0 ? whole - bar.end + tick : tick - bar.start;
  return `${bar.number ? `bar ${bar.number}` : "pickup"}, beat ${Math.floor(into / beat) + 1}`;
}

/** The number of the last note that begins at or before a tick; -1 if there is none. */
export function noteAt(melody, tick) {
  let found = -1;
  melody.notes.forEach((note, number) => { if (note.onset <= tick) found = number; });
  return found;
}

/** The melody up to a tick, as a primer. */
export function melodyUntil(melody, tick) {
  const notes = melody.notes.filter((note) => note.onset < tick)
    .map((note) => ({ ...note, duration: Math.min(note.duration, tick - note.onset) }));
  return { ...melody, notes, chords: (melody.chords ?? []).filter((chord) => chord.onset < tick), length: tick, title: "" };
}

/** The duration of ticks in seconds. */
export const secondsOf = (melody, ticks) => (ticks * 60) / (melody.tempo * QUARTER);

/** Encode a melody in few characters, for a link. */
export function encodeMelody(melody) {
  let time = 0;
  const notes = melody.notes.map((note) => {
    const text = [note.onset - time, note.duration, ...note.pitches].map((number) => number.toString(36)).join(".");
    time = note.onset;
    return text;
  });
  const chords = (melody.chords ?? []).map(({ onset, symbol }) => `${onset.toString(36)}.${symbol}`);
  return [melody.key ?? "", melody.meter, melody.tempo, melody.pickup, melody.length, notes.join("_"), ...(chords.length ? [chords.join("_")] : [])].join("~");
}

/** Decode a melody; null if the text is invalid. */
export function decodeMelody(text) {
  const [key, meter, tempo, pickup, length, notes, placed] = String(text).split("~");
  let time = 0;
  const read = (notes || "").split("_").filter(Boolean).map((word) => {
    const [gap, duration, ...pitches] = word.split(".").map((number) => parseInt(number, 36));
    time += gap;
    return { onset: time, duration, pitches };
  });
  const chords = (placed || "").split("_").filter(Boolean).map((word) => ({ onset: parseInt(word, 36), symbol: word.slice(word.indexOf(".") + 1) }));
  const numbers = [...chords.map((chord) => chord.onset), ...read.flatMap((note) => [note.onset, note.duration, ...note.pitches, note.pitches.length || NaN])];
  if (!/^\d+\/\d+$/.test(meter ?? "") || ![...numbers, +tempo, +pickup, +length].every(Number.isFinite)) return null;
  return { notes: read, key: key || null, meter, tempo: +tempo, pickup: +pickup, length: +length, title: "", ...(chords.length ? { chords } : {}) };
}
