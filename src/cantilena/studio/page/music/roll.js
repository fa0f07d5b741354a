// The piano roll, with a cursor to move, bars to select, and notes to edit.

import { startGesture } from "/page/editing/gestures.js";
import { colourOf, isGiven } from "/page/music/colours.js";
import { draw, followPointer } from "/page/elements.js";
import { barAt, barsOf, meterTicks, noteAt, pitchName, positionText } from "/page/music/music.js";

const BLACK = new Set([1, 3, 6, 8, 10]);
const ABOVE = 16, DRAG = 7;

/** The lowest and highest pitch to show, with some margin. */
function span(notes, { margin: room = 1, least = 12 } = {}) {
  const pitches = notes.flatMap((note) => note.pitches);
  if (!pitches.length) return [60, 72];
  const low = Math.min(...pitches) - room, high = Math.max(...pitches) + room, margin = Math.max(0, least - (high - low)) / 2;
  return [Math.floor(low - margin), Math.ceil(high + margin)];
}

/** Create a piano roll for a card: only the notes. */
export function smallRoll(candidate, length) {
  const { notes } = candidate.melody, [low, high] = span(notes), height = high - low + 1;
  const box = draw("svg", { class: "small", viewBox: `0 0 ${Math.max(length, 1)} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" });
  notes.forEach((note, number) => {
    for (const pitch of note.pitches) {
      box.append(draw("rect", { x: note.onset, y: high - pitch, width: Math.max(note.duration - 1.5, 1), height: 1, class: isGiven(candidate, number) ? "primer" : null }));
    }
  });
  return box;
}

/**
 * The piano roll of a column; calls `onMove(tick)`, `onSelect({ first, last } or null)`, and while it is edited
 * `onPick(numbers)` with notes that are selected and `onChange(kind, change)` with a change of these (`gestures.js`).
 */
export class RollView {
  constructor({ label, onMove, onSelect, onPick, onChange }) {
    this.element = draw("svg", { class: "roll", role: "slider", tabindex: 0, "aria-label": label, "aria-valuemin": 0, "aria-valuemax": 0, "aria-valuenow": 0 });
    Object.assign(this, { onMove, onSelect, onPick, onChange, candidate: null, tick: 0, selection: null, numbers: [], isEdited: false });
    this.element.addEventListener("pointerdown", (event) => {
      if (!this.isEdited || event.clientY - this.element.getBoundingClientRect().top < ABOVE) this.#startDrag(event);
      else startGesture(this, event);
    });
    this.element.addEventListener("dblclick", (event) => {
      if (this.isEdited && this.candidate && !event.target.closest(".note")) this.onChange("insert", this.placeOf(event));
    });
  }

  /** Show a candidate; `length` leaves room for notes that are not composed yet. */
  show(candidate, length = candidate?.melody.length ?? 0) {
    this.candidate = candidate;
    this.length = Math.max(length, candidate?.melody.length ?? 0, 1);
    this.redraw();
  }

  /** Draw it again after the size or the colours have changed. */
  redraw() {
    const { element, candidate } = this;
    if (!candidate) {
      element.replaceChildren();
      return;
    }
    const { melody } = candidate;
    [this.width, this.height] = [element.clientWidth || 600, element.clientHeight || 120];
    element.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
    element.setAttribute("aria-valuemax", melody.length);
    const [low, high] = span(melody.notes, this.isEdited ? { margin: 4, least: 24 } : {}), row = (this.height - ABOVE) / (high - low + 1);
    const y = (pitch) => ABOVE + (high - pitch) * row;
    Object.assign(this, { high, row });
    const background = [];
    for (let pitch = low; pitch <= high; pitch += 1) {
      if (BLACK.has(((pitch % 12) + 12) % 12)) background.push(draw("rect", { class: "black-row", x: 0, y: y(pitch), width: this.width, height: row }));
    }
    const bars = barsOf({ ...melody, length: this.length });
    const every = bars.length * 26 > this.width ? 4 : 1;
    if (this.isEdited) {
      const { beat } = meterTicks(melody.meter), from = melody.pickup % beat;
      for (let tick = from; tick < this.length; tick += beat) background.push(draw("line", { class: "beat-line", x1: this.#x(tick), x2: this.#x(tick), y1: ABOVE, y2: this.height }));
    }
    for (const bar of bars) {
      background.push(draw("line", { class: "bar-line", x1: this.#x(bar.start), x2: this.#x(bar.start), y1: 0, y2: this.height }));
      if (bar.number && (bar.number - 1) % every === 0) background.push(draw("text", { class: "bar-number", x: this.#x(bar.start) + 4, y: 11 }, String(bar.number)));
    }
    this.band = draw("rect", { class: "selected", y: 0, height: this.height, width: 0 });
    this.notes = melody.notes.map((note, number) => this.#note(note, number, y, row));
    this.line = draw("line", { class: "cursor-line", y1: 0, y2: this.height });
    element.replaceChildren(...background, this.band, ...this.notes, this.line);
    this.showSelection(this.selection);
    this.showPicked(this.numbers);
    this.moveTo(this.tick);
  }

  #note(note, number, y, row) {
    const { kind, mark } = colourOf(this.candidate, number);
    const group = draw("g", { class: `note ${kind || (isGiven(this.candidate, number) ? "primer" : "plain")}`, data: { note: number, onset: note.onset, pitches: note.pitches.join(" ") } });
    for (const pitch of note.pitches) {
      group.append(draw("rect", { x: this.#x(note.onset) + 0.5, y: y(pitch) + 0.5, width: Math.max(this.#x(note.onset + note.duration) - this.#x(note.onset) - 1.5, 1.5), height: Math.max(row - 1, 2), rx: Math.min(row / 3, 3), fill: "currentColor" }));
    }
    const lock = this.candidate.locks?.[number];
    if (lock) group.classList.add(`lock-${lock}`);
    if (mark) group.append(draw("text", { class: "mark", x: this.#x(note.onset) + 5, y: Math.max(y(note.pitches.at(-1)) - 2, 10) }, mark));
    return group;
  }

  #x(tick) {
    return (tick / this.length) * this.width;
  }

  /** The tick and the pitch at a pointer. */
  placeOf({ clientX, clientY }) {
    const box = this.element.getBoundingClientRect();
    const tick = Math.min(Math.max(((clientX - box.left) / box.width) * this.length, 0), this.length - 1);
    return { tick, pitch: Math.ceil(this.high - (((clientY - box.top) / box.height) * this.height - ABOVE) / this.row) };
  }

  /** Show which notes are selected. */
  showPicked(numbers) {
    this.numbers = numbers ?? [];
    const chosen = new Set(this.numbers);
    for (const group of this.notes ?? []) group.classList.toggle("chosen", chosen.has(Number(group.dataset.note)));
  }

  /** Show notes as they would be after a change that is not made yet; null shows them as they are. */
  preview(change) {
    const chosen = new Set(this.numbers);
    for (const group of this.notes ?? []) {
      const isMoved = change && chosen.has(Number(group.dataset.note));
      const x = isMoved ? this.#x(change.ticks ?? 0) : 0, y = isMoved ? -(change.semitones ?? 0) * this.row : 0;
      group.setAttribute("transform", `translate(${x} ${y})`);
      for (const rect of group.querySelectorAll("rect")) {
        const width = Number(rect.dataset.width ??= rect.getAttribute("width"));
        rect.setAttribute("width", Math.max(width + (isMoved ? this.#x(change.longer ?? 0) : 0), 1.5));
      }
    }
  }

  /** Move the cursor to a tick. */
  moveTo(tick) {
    this.tick = tick;
    const { melody } = this.candidate ?? {};
    if (!melody) return;
    const x = Math.min(Math.max(this.#x(tick), 1), this.width - 1);
    this.line.setAttribute("x1", x);
    this.line.setAttribute("x2", x);
    const number = noteAt(melody, tick), note = melody.notes[number];
    if (this.sounding !== number) {
      this.element.setAttribute("aria-valuenow", tick);
      this.element.setAttribute("aria-valuetext", positionText(melody, tick) + (note ? `, ${note.pitches.map((pitch) => pitchName(pitch, melody.key)).join(" ")}` : ""));
    }
    this.sounding = number;
  }

  /** Show which bars are selected. */
  showSelection(selection) {
    this.selection = selection;
    if (!this.candidate) return;
    const bars = selection ? barsOf(this.candidate.melody).filter((bar) => bar.number >= selection.first && bar.number <= selection.last) : [];
    this.band.setAttribute("x", bars.length ? this.#x(bars[0].start) : 0);
    this.band.setAttribute("width", bars.length ? this.#x(bars.at(-1).end) - this.#x(bars[0].start) : 0);
  }

  #startDrag(event) {
    if (!this.candidate || event.button) return;
    const { melody } = this.candidate, box = this.element.getBoundingClientRect();
    const tickAt = (x) => Math.min(Math.max(((x - box.left) / box.width) * this.length, 0), melody.length - 1);
    const from = event.clientX, first = barAt(melody, tickAt(from)).number;
    let isDrag = event.shiftKey;
    const move = (moved) => {
      isDrag ||= Math.abs(moved.clientX - from) > DRAG;
      if (!isDrag) return;
      const here = barAt(melody, tickAt(moved.clientX)).number;
      this.onSelect({ first: Math.min(first, here), last: Math.max(first, here) });
    };
    const end = (ended) => {
      if (ended.type === "pointercancel") return;
      if (isDrag) {
        move(ended);
        return;
      }
      this.onSelect(null);
      this.onMove(Math.floor(tickAt(ended.clientX) / 6) * 6);
    };
    followPointer(this.element, event, { distance: DRAG, move, end });
  }
}
