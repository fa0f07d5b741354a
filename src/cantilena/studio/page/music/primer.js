// The primer: typed, played on the piano, or read from a file.

import { request } from "/page/api.js";
import { scaleOf } from "/page/editing/edits.js";
import { byId, make, showError, announce } from "/page/elements.js";
import { QUARTER, parseNotes, melodyText, noteWord } from "/page/music/music.js";
import { play, stop } from "/page/music/player.js";
import { on, updateSettings, state, emit } from "/page/state.js";

const SIXTEENTH = 6, LONG = 16;
let lastRelease = null, lastKey;

/** Set up the field, its buttons, the piano and files. */
export function initPrimer() {
  const field = byId("primer");
  field.addEventListener("input", () => {
    byId("primer-part").hidden = true;
    updateSettings({ primer: field.value, idea: null });
  });
  byId("primer-clear").addEventListener("click", () => { setPrimer(""); field.focus(); });
  byId("primer-undo").addEventListener("click", () => setPrimer(field.value.trim().split(/\s+/).slice(0, -1).join(" ")));
  byId("primer-play").addEventListener("click", playPrimer);
  byId("rest").addEventListener("click", () => append([], Number(byId("note-length").value) > 0 ? Number(byId("note-length").value) : QUARTER));
  byId("clear-idea").addEventListener("click", () => { updateSettings({ idea: null }); field.focus(); });
  byId("primer-open").addEventListener("click", () => byId("primer-file").click());
  byId("primer-file").addEventListener("change", (event) => {
    const [file] = event.target.files;
    if (file) readFile(file);
    event.target.value = "";
  });
  on("settings", (changes) => {
    show();
    if (changes && "key" in changes) {
      if (Object.keys(changes).length === 1) offerTranspose(changes);
      else lastKey = changes.key;
    }
    if (changes && ("primer" in changes || "idea" in changes)) byId("primer-transpose").hidden = true;
  });
  on("played", appendPlayed);
  initDrops();
}

/** The primer as a melody; an error says which word is not a note. */
export function primerMelody() {
  return state.settings.idea ?? parseNotes(state.settings.primer);
}

/** Check the primer, and show an error beside the field. */
export function checkPrimer() {
  let error = null;
  try {
    primerMelody();
  } catch (found) {
    error = found;
  }
  showError("primer-error", error);
  byId("primer").setAttribute("aria-invalid", String(Boolean(error)));
  return !error;
}

function show() {
  const field = byId("primer"), { primer, idea } = state.settings;
  if (field.value !== primer) field.value = primer;
  field.hidden = Boolean(idea);
  byId("primer-idea").hidden = !idea;
  byId("primer-hint").hidden = Boolean(idea);
  if (idea) byId("primer-idea").querySelector("span").textContent = `${idea.title || "A melody"}: ${idea.notes.length} notes.`;
  const isEmpty = !idea && !primer.trim();
  for (const id of ["primer-clear", "primer-undo", "primer-play"]) byId(id).disabled = isEmpty || (Boolean(idea) && id === "primer-undo");
  checkPrimer();
}

function setPrimer(text) {
  updateSettings({ primer: text, idea: null });
  lastRelease = null;
}

function append(pitches, ticks) {
  const word = noteWord(pitches, ticks, state.settings.key);
  if (word) updateSettings({ primer: `${state.settings.primer.trimEnd()} ${word}`.trim(), idea: null });
}

// Append a note of the piano, with the selected length or with its own, quantised to sixteenths.
function appendPlayed(pitch, since, until) {
  if (state.together) return;
  const length = Number(byId("note-length").value);
  if (length > 0) append([pitch], length);
  if (length >= 0) return;
  const ticks = (milliseconds) => (milliseconds / 1000) * ((Number(state.settings.tempo) || 120) / 60) * QUARTER;
  const silence = lastRelease === null ? 0 : Math.round(ticks(since - lastRelease) / SIXTEENTH) * SIXTEENTH;
  if (silence > SIXTEENTH && silence <= 4 * QUARTER) append([], nearestValue(silence));
  append([pitch], nearestValue(Math.max(ticks(until - since), SIXTEENTH)));
  lastRelease = until;
}

function nearestValue(ticks) {
  const distance = (value) => Math.abs(Math.log(value / ticks));
  return [6, 12, 18, 24, 36, 48, 72, 96].reduce((best, value) => (distance(value) < distance(best) ? value : best));
}

async function playPrimer() {
  if (!checkPrimer()) return;
  if (state.playing) { stop(); return; }
  const melody = { ...primerMelody(), tempo: Number(state.settings.tempo) || 120 };
  await play({ candidates: [{ id: 0, melody }], chosen: 0, tick: 0, selection: null }).catch((error) => showError("primer-error", error));
}

async function readFile(file, choice = {}) {
  showError("primer-error");
  if (file.size > 2 ** 20) {
    showError("primer-error", { message: `“${file.name.slice(0, 60)}” is larger than 1 MB`, hint: "choose a file with one melody" });
    return;
  }
  try {
    const parameters = new URLSearchParams({ name: file.name.slice(-80), ...choice });
    const read = await request(`/api/read?${parameters}`, { body: file });
    const { melody, notes, left_out } = read;
    const text = melodyText(melody);
    const title = melody.title || file.name.replace(/\.[^.]*$/, "").slice(0, 80);
    const known = { key: melody.key ?? "", meter: melody.meter, tempo: melody.tempo === 120 ? "" : melody.tempo };
    updateSettings(text && text.length < 400 && !melody.pickup ? { ...known, primer: text, idea: null } : { ...known, idea: { ...melody, title } });
    showFile(file, read, choice);
    announce(`${notes} notes read from ${file.name}${left_out ? `; left out: ${left_out}` : ""}.`);
    emit("primer-read");
  } catch (error) {
    showError("primer-error", error);
  }
}

// The voices and bars of a file that was read, to choose others, if it has more than what was taken.
function showFile(file, { voices, voice, bars, left_out }, { first = "", last = "" }) {
  const place = byId("primer-part");
  place.hidden = voices.length < 2 && bars <= LONG && !left_out;
  if (place.hidden) return;
  const select = make("select", { id: "part-voice" }, make("option", { value: 0 }, "The melody"), ...voices.map((name, at) => make("option", { value: at + 1 }, name)));
  select.value = String(voice);
  const number = (id, label, value) => make("label", {}, `${label} `, make("input", { type: "number", id, min: 0, max: bars, value, placeholder: id === "part-first" ? 1 : bars, inputmode: "numeric" }));
  const use = make("button", { type: "button", onclick: () => {
    const chosen = { voice: select.value, first: byId("part-first").value, last: byId("part-last").value };
    readFile(file, Object.fromEntries(Object.entries(chosen).filter(([, value]) => value !== "")));
  } }, "Take these");
  place.replaceChildren(make("p", { class: "hint" }, left_out ? `Left out: ${left_out}.` : "All of it was taken."),
    make("label", {}, "Voice ", select), make("span", { class: "row small" }, number("part-first", "Bars", first), number("part-last", "to", last), use));
}

// Typed notes stay when the key changes; they can be moved into the new one.
function offerTranspose({ key }) {
  const before = lastKey, place = byId("primer-transpose"), { primer, idea } = state.settings;
  lastKey = key;
  const from = tonicOf(before), to = tonicOf(key);
  const semitones = ((to - from + 18) % 12) - 6;
  const isOffered = Boolean(key && before !== undefined && !idea && primer.trim() && semitones && modeOf(before) === modeOf(key));
  place.hidden = !isOffered;
  if (!isOffered) return;
  const move = make("button", { type: "button", class: "link", onclick: () => {
    try {
      const melody = parseNotes(primer), notes = melody.notes.map((note) => ({ ...note, pitches: note.pitches.map((pitch) => pitch + semitones) }));
      place.hidden = true;
      updateSettings({ primer: melodyText({ ...melody, notes, key }) });
    } catch (error) {
      showError("primer-error", error);
    }
  } }, `Transpose them to ${key}`);
  place.replaceChildren(`Your notes stay as they are. `, move);
}

const tonicOf = (key) => scaleOf(key)[0];
const modeOf = (key) => (key || "C major").split(" ")[1] ?? "major";

function initDrops() {
  const overlay = byId("drop");
  const holdsFile = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  addEventListener("dragover", (event) => {
    if (!holdsFile(event)) return;
    event.preventDefault();
    overlay.hidden = false;
  });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) overlay.hidden = true; });
  addEventListener("drop", (event) => {
    overlay.hidden = true;
    if (!holdsFile(event)) return;
    event.preventDefault();
    readFile(event.dataTransfer.files[0]);
  });
}
