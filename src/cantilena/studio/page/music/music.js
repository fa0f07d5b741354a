// Notes, bars and names: the page's small knowledge of music. Time is counted in ticks, 24 a quarter.

export const QUARTER = 24;
const LETTERS = { C: 0, D: 2, E: 4, F: 5, G: 7, A: 9, B: 11 };
const SHARPS = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"];
const FLATS = ["C", "D♭", "D", "E♭", "E", "F", "G♭", "G", "A♭", "A", "B♭", "B"];
const FLAT_KEYS = /^(F|Bb|Eb|Ab|Db|Gb) major|^(D|G|C|F|Bb|Eb) minor/;
const VALUES = [96, 144, 48, 72, 24, 36, 12, 18, 6, 9, 3].sort((a, b) => b - a);
const HINT = 'write notes such as "C4 D4 E4/2 r/8", with spaces between';

/** The name of a pitch as people read it, such as F♯4. */
export function pitchName(pitch, key = "") {
  return (FLAT_KEYS.test(key || "") ? FLATS : SHARPS)[pitch % 12] + (Math.floor(pitch / 12) - 1);
}

/** The name of a pitch as it is typed, such as F#4. */
export function typedName(pitch, key = "") {
  return pitchName(pitch, key).replace("♯", "#").replace("♭", "b");
}

/** The pitch of a typed name; null where it is none. */
export function pitchOf(name) {
  const found = /^([A-Ga-g])(##|#|bb|b|♯|♭|x)?(-?\d)$/.exec(name);
  if (!found) return null;
  const change = { "#": 1, "♯": 1, b: -1, "♭": -1, "##": 2, x: 2, bb: -2 }[found[2]] ?? 0;
  const pitch = 12 * (Number(found[3]) + 1) + LETTERS[found[1].toUpperCase()] + change;
  return pitch >= 0 && pitch <= 127 ? pitch : null;
}

/** Typed notes as a melody; an error says which word is none. */
export function readTyped(text) {
  const notes = [];
  let time = 0;
  for (const word of text.split(/\s+/).filter(Boolean)) {
    const found = /^([^/]+?)(?:\/(\d{1,2})(\.{0,2}))?$/.exec(word);
    const names = found ? found[1].split("+") : [];
    const isRest = found && /^(r|rest)$/i.test(found[1]);
    const pitches = isRest ? [] : names.map(pitchOf);
    if (!found || pitches.includes(null)) throw Object.assign(new Error(`“${word}” is not a note`), { hint: HINT });
    const value = Number(found[2] ?? 4);
    const duration = (96 / value) * (2 - 0.5 ** (found[3] ?? "").length);
    if (![1, 2, 4, 8, 16, 32].includes(value) || !Number.isInteger(duration)) {
      throw Object.assign(new Error(`“${word}” has a length that cannot be counted`), { hint: "lengths are /1 /2 /4 /8 and /16, with dots such as /4." });
    }
    if (!isRest) notes.push({ onset: time, duration, pitches: [...new Set(pitches)].sort((a, b) => a - b) });
    time += duration;
  }
  return { notes, key: null, meter: "4/4", tempo: 120, pickup: 0, length: time, title: "" };
}

/** The typed word for a note or a rest (no pitches); "" where its length has no value. */
export function typedWord(pitches, duration, key = "") {
  const name = pitches.length ? pitches.map((pitch) => typedName(pitch, key)).join("+") : "r";
  if (!VALUES.includes(duration)) return "";
  const dotted = duration % 9 === 0;
  const value = 96 / (dotted ? (duration * 2) / 3 : duration);
  return value === 4 && !dotted ? name : `${name}/${value}${dotted ? "." : ""}`;
}

/** A melody as typed notes; "" where it cannot be typed. */
export function typedMelody(melody) {
  const words = [];
  let time = 0;
  for (const note of melody.notes) {
    if (note.onset < time || note.duration < 3) return "";
    if (!addRest(words, note.onset - time)) return "";
    const word = typedWord(note.pitches, note.duration, melody.key);
    if (!word) return "";
    words.push(word);
    time = note.onset + note.duration;
  }
  return words.join(" ");
}

function addRest(words, ticks) {
  for (const value of VALUES) {
    while (ticks >= value) {
      words.push(typedWord([], value));
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

/** Where the bars of a melody begin and end: `[{ number, start, end }]`; a pickup is bar 0. */
export function barsOf(melody) {
  const { bar } = meterTicks(melody.meter);
  const pickup = melody.pickup % bar;
  const bars = pickup ? [{ number: 0, start: 0, end: pickup }] : [];
  for (let start = pickup, number = 1; start < Math.max(melody.length, 1); start += bar, number += 1) {
    bars.push({ number, start, end: start + bar });
  }
  return bars;
}

/** The bar in which a tick lies. */
export function barAt(melody, tick) {
  const bars = barsOf(melody);
  return bars.find((bar) => tick < bar.end) ?? bars[bars.length - 1];
}

/** Where a tick lies, in words: bar 3, beat 2. */
export function placeOf(melody, tick) {
  const bar = barAt(melody, tick), { beat, bar: whole } = meterTicks(melody.meter);
  const into = bar.number === 0 ? whole - bar.end + tick : tick - bar.start;
  return `${bar.number ? `bar ${bar.number}` : "pickup"}, beat ${Math.floor(into / beat) + 1}`;
}

/** The number of the note that sounds at a tick or has sounded last before it; -1 before all. */
export function noteAt(melody, tick) {
  let found = -1;
  melody.notes.forEach((note, number) => { if (note.onset <= tick) found = number; });
  return found;
}

/** The melody up to a tick, as the beginning of another. */
export function upTo(melody, tick) {
  const notes = melody.notes.filter((note) => note.onset < tick)
    .map((note) => ({ ...note, duration: Math.min(note.duration, tick - note.onset) }));
  return { ...melody, notes, length: tick, title: "" };
}

/** Seconds of so many ticks. */
export const secondsOf = (melody, ticks) => (ticks * 60) / (melody.tempo * QUARTER);

/** A melody in few letters, for a link. */
export function packed(melody) {
  let time = 0;
  const notes = melody.notes.map((note) => {
    const text = [note.onset - time, note.duration, ...note.pitches].map((number) => number.toString(36)).join(".");
    time = note.onset;
    return text;
  });
  return [melody.key ?? "", melody.meter, melody.tempo, melody.pickup, melody.length, notes.join("_")].join("~");
}

/** The melody of such letters; null where they are none. */
export function unpacked(text) {
  const [key, meter, tempo, pickup, length, notes] = String(text).split("~");
  let time = 0;
  const read = (notes || "").split("_").filter(Boolean).map((word) => {
    const [gap, duration, ...pitches] = word.split(".").map((number) => parseInt(number, 36));
    time += gap;
    return { onset: time, duration, pitches };
  });
  const numbers = read.flatMap((note) => [note.onset, note.duration, ...note.pitches, note.pitches.length || NaN]);
  if (!/^\d+\/\d+$/.test(meter ?? "") || ![...numbers, +tempo, +pickup, +length].every(Number.isFinite)) return null;
  return { notes: read, key: key || null, meter, tempo: +tempo, pickup: +pickup, length: +length, title: "" };
}
