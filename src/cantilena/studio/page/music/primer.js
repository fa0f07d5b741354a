// The beginning: typed, played on the piano, or read from a file that is opened or dropped.

import { ask } from "/page/api.js";
import { byId, complain, say } from "/page/elements.js";
import { QUARTER, readTyped, typedMelody, typedWord } from "/page/music/music.js";
import { play, stop } from "/page/music/player.js";
import { on, set, state, tell } from "/page/state.js";

const SIXTEENTH = 6;
let lastEnd = null;

/** Listen to the field, its buttons, the piano and files. */
export function listenToPrimer() {
  const field = byId("primer");
  field.addEventListener("input", () => set({ primer: field.value, idea: null }));
  byId("primer-clear").addEventListener("click", () => { put(""); field.focus(); });
  byId("primer-undo").addEventListener("click", () => put(field.value.trim().split(/\s+/).slice(0, -1).join(" ")));
  byId("primer-hear").addEventListener("click", hearIt);
  byId("rest").addEventListener("click", () => add([], Number(byId("value").value) > 0 ? Number(byId("value").value) : QUARTER));
  byId("drop-idea").addEventListener("click", () => { set({ idea: null }); field.focus(); });
  byId("primer-open").addEventListener("click", () => byId("primer-file").click());
  byId("primer-file").addEventListener("change", (event) => {
    const [file] = event.target.files;
    if (file) readFile(file);
    event.target.value = "";
  });
  on("settings", show);
  on("played", playedNote);
  listenToDrops();
}

/** The beginning as a melody; an error says which word is no note. */
export function primerMelody() {
  return state.settings.idea ?? readTyped(state.settings.primer);
}

/** Whether what is typed can be read; what cannot is said beside the field. */
export function checkPrimer() {
  let error = null;
  try {
    primerMelody();
  } catch (found) {
    error = found;
  }
  complain("primer-error", error);
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
  for (const id of ["primer-clear", "primer-undo", "primer-hear"]) byId(id).disabled = isEmpty || (Boolean(idea) && id === "primer-undo");
  checkPrimer();
}

function put(text) {
  set({ primer: text, idea: null });
  lastEnd = null;
}

function add(pitches, ticks) {
  const word = typedWord(pitches, ticks, state.settings.key);
  if (word) set({ primer: `${state.settings.primer.trimEnd()} ${word}`.trim(), idea: null });
}

// A note of the piano: of the length that was chosen, or of its own, counted in sixteenths.
function playedNote(pitch, since, until) {
  const value = Number(byId("value").value);
  if (value > 0) add([pitch], value);
  if (value >= 0) return;
  const ticks = (milliseconds) => (milliseconds / 1000) * ((Number(state.settings.tempo) || 120) / 60) * QUARTER;
  const silence = lastEnd === null ? 0 : Math.round(ticks(since - lastEnd) / SIXTEENTH) * SIXTEENTH;
  if (silence > SIXTEENTH && silence <= 4 * QUARTER) add([], nearestValue(silence));
  add([pitch], nearestValue(Math.max(ticks(until - since), SIXTEENTH)));
  lastEnd = until;
}

function nearestValue(ticks) {
  const distance = (value) => Math.abs(Math.log(value / ticks));
  return [6, 12, 18, 24, 36, 48, 72, 96].reduce((best, value) => (distance(value) < distance(best) ? value : best));
}

async function hearIt() {
  if (!checkPrimer()) return;
  if (state.playing) { stop(); return; }
  const melody = { ...primerMelody(), tempo: Number(state.settings.tempo) || 120 };
  await play({ candidates: [{ id: 0, melody }], chosen: 0, tick: 0, selection: null }).catch((error) => complain("primer-error", error));
}

async function readFile(file) {
  complain("primer-error");
  if (file.size > 2 ** 20) {
    complain("primer-error", { message: `“${file.name.slice(0, 60)}” is larger than 1 MB`, hint: "choose a file with one melody" });
    return;
  }
  try {
    const { melody, notes } = await ask(`/api/read?name=${encodeURIComponent(file.name.slice(-80))}`, { body: file });
    const text = typedMelody(melody);
    const title = melody.title || file.name.replace(/\.[^.]*$/, "").slice(0, 80);
    const known = { key: melody.key ?? "", meter: melody.meter, tempo: melody.tempo === 120 ? "" : melody.tempo };
    set(text && text.length < 400 && !melody.pickup ? { ...known, primer: text, idea: null } : { ...known, idea: { ...melody, title } });
    say(`${notes} notes read from ${file.name}`);
    tell("beginning");
  } catch (error) {
    complain("primer-error", error);
  }
}

function listenToDrops() {
  const place = byId("drop");
  const holdsFile = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  addEventListener("dragover", (event) => {
    if (!holdsFile(event)) return;
    event.preventDefault();
    place.hidden = false;
  });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) place.hidden = true; });
  addEventListener("drop", (event) => {
    place.hidden = true;
    if (!holdsFile(event)) return;
    event.preventDefault();
    readFile(event.dataTransfer.files[0]);
  });
}
