// How melodies are played: instrument, accompaniment, speed, loop, metronome. The choices are remembered on this computer.

import { request } from "/page/api.js";
import { byId, make } from "/page/elements.js";
import { currentCandidate, on, emit } from "/page/state.js";

const STORED = "cantilena.transport";
const PATTERNS = { block: "Block chords", arpeggio: "Arpeggio", "bass-and-chord": "Bass and chord", none: "None" };

/** Speed and volume are in percent; `output` is the name of a MIDI port, "" for none. */
export const transport = {
  instrument: "piano", accompaniment: "block", speed: 100, volume: 90, loop: false, metronome: false, countIn: false, output: "", clock: false,
};
let instruments = [];

/** The instrument that plays a part: the melody, or the chords under it. */
export function instrumentOf(isChords) {
  const chosen = instruments.find(({ name }) => name === transport.instrument);
  return isChords ? chosen?.chords ?? transport.instrument : transport.instrument;
}

/** Change some choices, and remember them. */
export function updateTransport(changes) {
  Object.assign(transport, changes);
  try {
    localStorage.setItem(STORED, JSON.stringify(transport));
  } catch { /* local storage may be blocked: the choices last until the page is closed */ }
  show();
  emit("transport", changes);
}

function restore() {
  try {
    const stored = JSON.parse(localStorage.getItem(STORED) ?? "{}");
    for (const [name, value] of Object.entries(transport)) {
      if (typeof stored?.[name] === typeof value) transport[name] = stored[name];
    }
  } catch { /* nothing valid is stored */ }
  transport.speed = Math.min(Math.max(transport.speed, 25), 200);
  transport.volume = Math.min(Math.max(transport.volume, 0), 100);
}

/** Set up the controls of the player. */
export function initTransport() {
  restore();
  for (const name of ["speed", "volume"]) byId(name).addEventListener("input", () => updateTransport({ [name]: Number(byId(name).value) }));
  for (const name of ["instrument", "accompaniment"]) byId(name).addEventListener("change", () => updateTransport({ [name]: byId(name).value }));
  for (const [id, name] of [["count-in", "countIn"], ["midi-clock", "clock"]]) byId(id).addEventListener("change", () => updateTransport({ [name]: byId(id).checked }));
  for (const name of ["loop", "metronome"]) byId(name).addEventListener("click", () => updateTransport({ [name]: !transport[name] }));
  byId("speed-reset").addEventListener("click", () => updateTransport({ speed: 100 }));
  byId("accompaniment").replaceChildren(...Object.entries(PATTERNS).map(([value, title]) => make("option", { value }, title)));
  initPanel();
  on("shown columns active busy", show);
  show();
  loadInstruments();
  on("online", () => { if (!instruments.length) loadInstruments(); });
}

async function loadInstruments() {
  try {
    ({ instruments } = await request("/api/instruments"));
  } catch {
    return;
  }
  byId("instrument").replaceChildren(...instruments.map(({ name, title }) => make("option", { value: name }, title)));
  if (!instruments.some(({ name }) => name === transport.instrument)) transport.instrument = instruments[0].name;
  show();
}

function initPanel() {
  const button = byId("open-sound"), panel = byId("sound-panel");
  const toggle = (isOpen) => {
    panel.hidden = !isOpen;
    button.setAttribute("aria-expanded", String(isOpen));
  };
  button.addEventListener("click", () => {
    toggle(panel.hidden);
    if (!panel.hidden) byId("instrument").focus();
  });
  for (const element of [panel, button]) {
    element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || panel.hidden) return;
      event.stopPropagation();
      toggle(false);
      button.focus();
    });
  }
  document.addEventListener("pointerdown", (event) => {
    if (!panel.contains(event.target) && !button.contains(event.target)) toggle(false);
  });
}

function show() {
  const melody = currentCandidate()?.melody;
  const heard = melody ? `♩ = ${Math.round((melody.tempo * transport.speed) / 100)}` : "";
  for (const name of ["speed", "volume", "instrument", "accompaniment"]) byId(name).value = transport[name];
  byId("speed-value").textContent = [`${transport.speed} %`, heard].filter(Boolean).join(" · ");
  byId("speed").setAttribute("aria-valuetext", byId("speed-value").textContent);
  byId("volume-value").textContent = `${transport.volume} %`;
  byId("speed-reset").hidden = transport.speed === 100;
  byId("count-in").checked = transport.countIn;
  byId("midi-clock").checked = transport.clock;
  for (const name of ["loop", "metronome"]) byId(name).setAttribute("aria-pressed", String(transport[name]));
  byId("accompaniment-field").hidden = !melody?.chords?.length;
  const title = instruments.find(({ name }) => name === transport.instrument)?.title ?? "Piano";
  byId("sound-summary").textContent = title;
  byId("sound-tempo").textContent = heard;
}
