// The engraved score of a column: requested, sanitised, coloured, with a cursor, and with notes to edit.

import { isAborted, latestOnly } from "/page/api.js";
import { GRID } from "/page/editing/edits.js";
import { startScoreGesture } from "/page/editing/score-gestures.js";
import { colourOf, isGiven } from "/page/music/colours.js";
import { draw, make } from "/page/elements.js";
import { barAt, barsOf } from "/page/music/music.js";

const FORBIDDEN = { script: 1, style: 1, foreignObject: 1, a: 1, image: 1, animate: 1, set: 1, iframe: 1 };

/** Parse an SVG of the server, without scripts, styles and external links. */
export function sanitise(text) {
  // The content security policy forbids inline styles, even while an SVG is parsed.
  const bare = text.replace(/<style[^>]*>[^]*?<\/style>/g, "");
  const parsed = new DOMParser().parseFromString(bare, "image/svg+xml").documentElement;
  if (parsed.tagName !== "svg") throw new Error("the server sent no score");
  for (const element of [parsed, ...parsed.querySelectorAll("*")]) {
    if (FORBIDDEN[element.localName]) {
      element.remove();
      continue;
    }
    for (const { name, value } of [...element.attributes]) {
      const isLink = /(^|:)href$/.test(name);
      if (/^on/i.test(name) || name === "style" || (isLink && !value.startsWith("#"))) element.removeAttribute(name);
    }
  }
  return document.importNode(parsed, true);
}

/**
 * A score; calls `onPick(tick)` at a click, and `onBar(number)` at a click with Shift; while it is edited `onNotes(numbers)`
 * with notes that are selected, and `onChange(kind, change)` with a change of these.
 */
export class ScoreView {
  constructor({ onPick, onBar, onNotes, onChange }) {
    this.request = latestOnly();
    this.cursor = make("div", { class: "cursor", hidden: true });
    this.element = make("div", { class: "score" });
    Object.assign(this, { heads: [], bands: [], numbers: [], isEdited: false, onTick: onPick, onNotes, onChange });
    this.element.addEventListener("pointerdown", (event) => { if (this.isEdited && this.melody) startScoreGesture(this, event); });
    this.element.addEventListener("click", (event) => {
      if (!this.melody || this.isEdited) return;
      const tick = this.#tickAt(event);
      if (event.shiftKey) onBar(barAt(this.melody, tick).number);
      else onPick(tick);
    });
  }

  /** Engrave a melody; resolves when it is shown, or when a newer one was requested. */
  async show(melody) {
    const scale = this.#scale();
    const width = Math.round(Math.min(Math.max(this.element.clientWidth / scale, 220), 2400));
    let sent;
    try {
      sent = await this.request("/api/score", { body: { melody: { ...melody, title: "" }, width } });
    } catch (error) {
      if (!isAborted(error)) throw error;
      return;
    }
    const drawing = sanitise(sent.svg);
    drawing.setAttribute("aria-label", `Score of ${melody.notes.length} notes`);
    drawing.querySelector("title")?.remove();
    this.element.replaceChildren(drawing, this.cursor);
    this.melody = melody;
    this.#measure(drawing, sent.notes);
    this.width = this.element.clientWidth;
  }

  /** Remove the score. */
  clear() {
    this.melody = null;
    this.heads = [];
    this.element.replaceChildren();
  }

  /** Whether the width has changed since it was engraved. */
  get isStale() {
    return Boolean(this.melody) && Math.abs(this.element.clientWidth - this.width) > 8;
  }

  #scale() {
    const size = parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
    return (this.element.clientWidth < 420 ? 0.85 : 1) * size;
  }

  // Measure where note heads, bars and systems are, relative to the size of the score.
  #measure(drawing, notes) {
    const all = drawing.getBoundingClientRect();
    const part = (box) => ({ x: (box.left - all.left) / all.width, right: (box.right - all.left) / all.width, y: (box.top - all.top) / all.height, bottom: (box.bottom - all.top) / all.height });
    const systems = [...drawing.querySelectorAll(".system")].map((system) => ({ system, ...part(staffBox(system)) }));
    const seen = new Set();
    this.heads = [];
    for (const { note, id } of notes) {
      const group = drawing.querySelector(`[id="${CSS.escape(id)}"]`);
      if (!group) continue;
      const box = part((group.querySelector(".notehead") ?? group).getBoundingClientRect());
      const line = systems.findIndex(({ system }) => system.contains(group));
      const bar = [...drawing.querySelectorAll(".measure")].indexOf(group.closest(".measure"));
      this.heads.push({ note, group, line, bar, x: (box.x + box.right) / 2, isFirst: !seen.has(note) });
      seen.add(note);
    }
    this.lines = systems;
    const bars = barsOf(this.melody);
    this.measures = [...drawing.querySelectorAll(".measure")].map((measure, number) => {
      const line = systems.findIndex(({ system }) => system.contains(measure));
      return { ...part(staffBox(measure)), line, ...bars[number] };
    });
  }

  /** Colour the notes. */
  colour(candidate) {
    for (const { note, group, isFirst } of this.heads) {
      const { kind, mark } = colourOf(candidate, note);
      group.setAttribute("class", ["note", kind, !kind && isGiven(candidate, note) ? "primer" : "", candidate.locks?.[note] ? `lock-${candidate.locks[note]}` : ""].filter(Boolean).join(" "));
      group.querySelector(".verdict-sign")?.remove();
      if (!mark || !isFirst) continue;
      const box = group.getBBox(), head = group.querySelector(".notehead").getBBox();
      group.append(draw("text", { class: "verdict-sign", x: head.x + head.width / 2, y: box.y + box.height + 430 }, mark));
    }
    this.showPicked(this.numbers);
  }

  /** Show which notes are selected. */
  showPicked(numbers) {
    this.numbers = numbers ?? [];
    const chosen = new Set(this.numbers);
    for (const { note, group } of this.heads) group.classList.toggle("chosen", chosen.has(note));
  }

  /** Show the selected notes so many steps of the staff higher, before they are. */
  preview(steps) {
    const chosen = new Set(this.numbers);
    for (const { note, group } of this.heads) {
      const scale = group.parentElement.getScreenCTM()?.d || 1;
      if (chosen.has(note) && steps) group.setAttribute("transform", `translate(0 ${(-steps * this.stepHeight) / scale})`);
      else group.removeAttribute("transform");
    }
  }

  /** The height of a step of the staff in pixels. */
  get stepHeight() {
    const [line] = this.lines ?? [];
    return line ? ((line.bottom - line.y) * this.element.querySelector("svg").getBoundingClientRect().height) / 8 : 4;
  }

  /** The number of the note whose head is at a pointer; -1 if there is none. */
  noteAt({ clientX, clientY }) {
    const near = ({ group }) => {
      const box = (group.querySelector(".notehead") ?? group).getBoundingClientRect();
      return Math.hypot(Math.max(box.left - clientX, 0, clientX - box.right), Math.max(box.top - clientY, 0, clientY - box.bottom));
    };
    const best = this.heads.reduce((found, head) => (near(head) < (found ? near(found) : 9) ? head : found), null);
    return best ? best.note : -1;
  }

  /** The tick at a pointer, on a sixteenth. */
  placeOf(event) {
    const { x, line } = this.#pointAt(event);
    const measure = this.measures.find((one) => one.line === line && x <= one.right) ?? this.measures.findLast((one) => one.line === line);
    if (!measure) return 0;
    const path = this.#path(measure), after = Math.max(path.findIndex((stop) => stop.x > x), 1);
    const [a, b] = [path[after - 1], path[after] ?? path.at(-1)];
    const share = b.x > a.x ? Math.min(Math.max((x - a.x) / (b.x - a.x), 0), 1) : 0;
    return Math.round((a.tick + share * (b.tick - a.tick)) / GRID) * GRID;
  }

  /** The position of a tick: its system and x coordinate. */
  #place(tick) {
    const measure = this.measures.find((one) => tick < one.end) ?? this.measures.at(-1);
    if (!measure) return null;
    const path = this.#path(measure), end = path.at(-1);
    const after = Math.max(path.findIndex((stop) => stop.tick > tick), 1);
    const [a, b] = [path[after - 1], path[after] ?? end];
    const share = b.tick > a.tick ? Math.min((tick - a.tick) / (b.tick - a.tick), 1) : 0;
    return { line: this.lines[measure.line] ?? measure, x: a.x + share * (b.x - a.x) };
  }

  // Where the notes of a measure are, with its beginning and its end.
  #path(measure) {
    const stops = this.heads.filter((head) => head.line === measure.line && head.isFirst)
      .map((head) => ({ tick: this.melody.notes[head.note]?.onset ?? 0, x: head.x }))
      .filter((stop) => stop.tick >= measure.start && stop.tick < measure.end);
    const first = stops[0]?.tick === measure.start ? [] : [{ tick: measure.start, x: measure.x + (stops.length ? 0.25 * (stops[0].x - measure.x) : 0.02) }];
    return [...first, ...stops, { tick: measure.end, x: measure.right }];
  }

  /** Move the cursor to a tick. */
  moveTo(tick) {
    const place = this.melody && this.heads.length ? this.#place(tick) : null;
    this.cursor.hidden = !place;
    if (!place) return;
    const margin = 0.2 * (place.line.bottom - place.line.y);
    Object.assign(this.cursor.style, { left: `${100 * place.x}%`, top: `${100 * (place.line.y - margin)}%`, height: `${100 * (place.line.bottom - place.line.y + 2 * margin)}%` });
  }

  /** Scroll the system of the cursor into view, if it is behind the piano or above the page. */
  follow() {
    if (this.cursor.hidden) return;
    const box = this.cursor.getBoundingClientRect(), below = innerHeight - (document.querySelector(".dock")?.offsetHeight ?? 0);
    if (performance.now() - (this.followed ?? 0) < 1000 || (box.top >= 0 && box.bottom <= below)) return;
    this.followed = performance.now();
    scrollBy({ top: box.top - 0.25 * below, behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  }

  /** Show which bars are selected. */
  showSelection(selection) {
    for (const band of this.bands) band.remove();
    const selected = selection && this.melody ? this.measures.filter((one) => one.number >= selection.first && one.number <= selection.last) : [];
    this.bands = selected.map((one) => {
      const band = make("div", { class: "selected-bars" });
      const margin = 0.3 * (one.bottom - one.y);
      Object.assign(band.style, { left: `${100 * one.x}%`, width: `${100 * (one.right - one.x)}%`, top: `${100 * (one.y - margin)}%`, height: `${100 * (one.bottom - one.y + 2 * margin)}%` });
      return band;
    });
    this.element.append(...this.bands);
  }

  // The position of a pointer within the score, and its system.
  #pointAt(event) {
    const all = this.element.querySelector("svg").getBoundingClientRect();
    const x = (event.clientX - all.left) / all.width, y = (event.clientY - all.top) / all.height;
    const distance = (line) => Math.max(line.y - y, 0, y - line.bottom);
    return { x, line: this.lines.reduce((best, one, number) => (distance(one) < distance(this.lines[best]) ? number : best), 0) };
  }

  #tickAt(event) {
    const { x, line } = this.#pointAt(event);
    const inBar = this.measures.find((one) => one.line === line && x <= one.right) ?? this.measures.findLast((one) => one.line === line);
    const heads = this.heads.filter((head) => head.line === line && head.isFirst && (!event.shiftKey || !inBar));
    if (event.shiftKey && inBar) return inBar.start;
    if (!heads.length) return inBar?.start ?? 0;
    const nearest = heads.reduce((best, head) => (Math.abs(head.x - x) < Math.abs(best.x - x) ? head : best));
    return this.melody.notes[nearest.note].onset;
  }
}

// The box of the staff lines; stems and symbols extend beyond.
function staffBox(group) {
  const boxes = [...group.querySelectorAll(".staff > path")].map((path) => path.getBoundingClientRect());
  if (!boxes.length) return group.getBoundingClientRect();
  const extreme = (name, choose) => choose(...boxes.map((box) => box[name]));
  return { left: extreme("left", Math.min), right: extreme("right", Math.max), top: extreme("top", Math.min), bottom: extreme("bottom", Math.max) };
}
