// The piano on the page: by mouse, by touch, and key by key.

import { byId, make } from "/page/elements.js";
import { pitchName } from "/page/music/music.js";
import { sounding, strike } from "/page/music/player.js";
import { activeColumn, modelNamed, on, state, tell } from "/page/state.js";

const BLACK = new Set([1, 3, 6, 8, 10]);
const keys = new Map();
const held = new Map();
// Three octaves are always there: the keys that the computer's letters play, with a hand's breadth around.
const LEAST = [48, 83];
let low = 0, high = -1;
let heard = [], wasActive = null;

// Draw the keys that the chosen model can play.
function fit() {
  const model = modelNamed(state.settings.model);
  const from = Math.min(model?.low ?? LEAST[0], LEAST[0]), to = Math.max(model?.high ?? LEAST[1], LEAST[1]);
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
  // Where not all keys fit, middle C lies under the left hand's thumb.
  byId("keys").style.setProperty("--whites", whites.length);
  frame.scrollLeft = (keys.get(60)?.offsetLeft ?? 0) - 0.15 * frame.clientWidth;
  heard = [];
  showSounding();
}

/** Draw the piano, and listen to it. */
export function listenToKeyboard() {
  const place = byId("keys");
  const pitchAt = (target) => Number(target.closest?.(".key")?.dataset.pitch ?? NaN);
  place.addEventListener("pointerdown", (event) => {
    const pitch = pitchAt(event.target);
    if (Number.isNaN(pitch) || event.button) return;
    press(pitch, `pointer ${event.pointerId}`);
    event.target.closest(".key").focus({ preventScroll: true });
  });
  addEventListener("pointerup", (event) => release(`pointer ${event.pointerId}`));
  addEventListener("pointercancel", (event) => release(`pointer ${event.pointerId}`, { isMeant: false }));
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
  on("settings models", fit);
  fit();
}

/** Press a key, and remember by what it is held. */
export function press(pitch, by) {
  if (held.has(by) || pitch < 0 || pitch > 127) return;
  held.set(by, { pitch, letGo: strike(pitch), since: performance.now() });
  mark();
  tell("pressed", pitch, held.get(by).since);
}

/** Let go of what something holds; a touch that became a scroll was not meant as a note. */
export function release(by, { isMeant = true } = {}) {
  const key = held.get(by);
  if (!key) return;
  held.delete(by);
  key.letGo();
  mark();
  if (isMeant) tell("played", key.pitch, key.since, performance.now());
}

/** Let go of everything: the page was left. */
export function releaseAll() {
  for (const by of [...held.keys()]) release(by, { isMeant: false });
}

function showSounding() {
  const now = activeColumn() ? sounding(activeColumn()) : [];
  if (now.join() === heard.join() && wasActive === activeColumn()) return;
  [heard, wasActive] = [now, activeColumn()];
  mark();
}

function mark() {
  const down = new Set([...heard, ...[...held.values()].map((key) => key.pitch)]);
  for (const [pitch, key] of keys) key.classList.toggle("down", down.has(pitch));
}

/** Tint the keys: a number from 0 to 1 each, by pitch; null takes all tints away. */
export function tint(chances) {
  for (const [pitch, key] of keys) {
    const chance = chances?.get(pitch) ?? 0;
    key.querySelector(".fill").style.opacity = chance < 0.004 ? "0" : (0.06 + 0.8 * Math.sqrt(chance)).toFixed(3);
    key.querySelector(".chance").textContent = chance >= 0.03 ? String(Math.round(100 * chance)) : "";
    key.setAttribute("aria-label", pitchName(pitch) + (chance >= 0.01 ? `, ${Math.round(100 * chance)} percent` : ""));
  }
}
