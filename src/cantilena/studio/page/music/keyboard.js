// The piano keyboard of the page, played by mouse, touch or keyboard.

import { byId, make } from "/page/elements.js";
import { pitchName } from "/page/music/music.js";
import { soundingPitches, playNote } from "/page/music/player.js";
import { activeColumn, modelNamed, on, state, emit } from "/page/state.js";

const BLACK = new Set([1, 3, 6, 8, 10]);
const keys = new Map();
const held = new Map();
// At least three octaves are shown: those that the letters of the computer keyboard play, and some more.
const MIN_RANGE = [48, 83];
let low = 0, high = -1;
let soundingNow = [], lastColumn = null;

// Draw the keys that the selected model can use.
function updateRange() {
  const model = modelNamed(state.settings.model);
  const from = Math.min(model?.low ?? MIN_RANGE[0], MIN_RANGE[0]), to = Math.max(model?.high ?? MIN_RANGE[1], MIN_RANGE[1]);
  const ends = [Math.max(from - (BLACK.has(from % 12) ? 1 : 0), 0), Math.min(to + (BLACK.has(to % 12) ? 1 : 0), 127)];
  if (ends.join() === [low, high].join()) return;
  [low, high] = ends;
  drawKeys();
}

function drawKeys() {
  const whites = [];
  for (let pitch = low; pitch <= high; pitch += 1) if (!BLACK.has(pitch % 12)) whites.push(pitch);
  const width = 100 / whites.length;
  keys.clear();
  const made = [];
  let before = 0;
  for (let pitch = low; pitch <= high; pitch += 1) {
    const isBlack = BLACK.has(pitch % 12);
    const key = make("button", { type: "button", class: isBlack ? "key black" : "key", data: { pitch }, "aria-label": pitchName(pitch), tabindex: -1 },
      make("span", { class: "fill" }), make("span", { class: "chance" }));
    if (isBlack) {
      key.style.left = `${before * width - width * 0.31}%`;
      key.style.width = `${width * 0.62}%`;
    } else {
      before += 1;
      if (pitch % 12 === 0) key.append(make("span", { class: "name" }, `C${pitch / 12 - 1}`));
    }
    keys.set(pitch, key);
    made.push(key);
  }
  byId("keys").replaceChildren(...made);
  (keys.get(60) ?? made[0]).tabIndex = 0;
  const frame = byId("keys").parentElement;
  // If not all keys fit, scroll to middle C.
  byId("keys").style.setProperty("--whites", whites.length);
  frame.scrollLeft = (keys.get(60)?.offsetLeft ?? 0) - 0.15 * frame.clientWidth;
  soundingNow = [];
  showSounding();
}

/** Draw the keyboard, and set it up. */
export function initKeyboard() {
  const place = byId("keys");
  const pitchAt = (target) => Number(target.closest?.(".key")?.dataset.pitch ?? NaN);
  place.addEventListener("pointerdown", (event) => {
    const pitch = pitchAt(event.target);
    if (Number.isNaN(pitch) || event.button) return;
    press(pitch, `pointer ${event.pointerId}`);
    event.target.closest(".key").focus({ preventScroll: true });
  });
  addEventListener("pointerup", (event) => release(`pointer ${event.pointerId}`));
  addEventListener("pointercancel", (event) => release(`pointer ${event.pointerId}`, { isNote: false }));
  place.addEventListener("keydown", (event) => {
    const pitch = pitchAt(event.target), step = { ArrowRight: 1, ArrowLeft: -1, ArrowUp: 12, ArrowDown: -12 }[event.key];
    if (step) {
      const next = keys.get(Math.min(Math.max(pitch + step, low), high));
      event.target.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    } else if (event.key === "Enter" || event.key === " ") {
      if (!event.repeat) press(pitch, "own key");
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  place.addEventListener("keyup", (event) => {
    if (event.key === "Enter" || event.key === " ") release("own key");
  });
  on("tick playing shown", showSounding);
  on("settings models", updateRange);
  updateRange();
}

/** Press a key; `source` names what holds it, `at` is when, which may be earlier than this call. */
export function press(pitch, source, at = performance.now()) {
  if (held.has(source) || pitch < 0 || pitch > 127) return;
  held.set(source, { pitch, stop: playNote(pitch), since: at });
  highlight();
}

/** Release what a source holds; a touch that became a scroll is not a note. */
export function release(source, { isNote = true, at = performance.now() } = {}) {
  const key = held.get(source);
  if (!key) return;
  held.delete(source);
  key.stop();
  highlight();
  if (isNote) emit("played", key.pitch, key.since, at);
}

/** The keys that are down: `[{ pitch, since }]`, in milliseconds of `performance.now()`. */
export const heldKeys = () => [...held.values()];

/** Release all keys, when the page loses the focus. */
export function releaseAll() {
  for (const source of [...held.keys()]) release(source, { isNote: false });
}

function showSounding() {
  const now = activeColumn() ? soundingPitches(activeColumn()) : [];
  if (now.join() === soundingNow.join() && lastColumn === activeColumn()) return;
  [soundingNow, lastColumn] = [now, activeColumn()];
  highlight();
}

function highlight() {
  const down = new Set([...soundingNow, ...[...held.values()].map((key) => key.pitch)]);
  for (const [pitch, key] of keys) key.classList.toggle("down", down.has(pitch));
}

/** Tint the keys by probability, a map by pitch; null removes all tints. */
export function tint(probabilities) {
  for (const [pitch, key] of keys) {
    const probability = probabilities?.get(pitch) ?? 0;
    key.querySelector(".fill").style.opacity = probability < 0.004 ? "0" : (0.06 + 0.8 * Math.sqrt(probability)).toFixed(3);
    key.querySelector(".chance").textContent = probability >= 0.03 ? String(Math.round(100 * probability)) : "";
    key.setAttribute("aria-label", pitchName(pitch) + (probability >= 0.01 ? `, ${Math.round(100 * probability)} percent` : ""));
  }
}
