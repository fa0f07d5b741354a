// The engraved score of a column: asked for, adopted safely, coloured, and followed by the cursor.

import { isDropped, latest } from "/page/api.js";
import { colourOf } from "/page/music/colours.js";
import { draw, make } from "/page/elements.js";
import { barAt, barsOf } from "/page/music/music.js";

const WHOLE = { script: 1, style: 1, foreignObject: 1, a: 1, image: 1, animate: 1, set: 1, iframe: 1 };

/** An SVG of the server as an element of this page: only drawing, no script, style or link outside. */
export function adopted(text) {
  // The page has its own rules of style, and its policy allows no others: not even while a drawing is read.
  const bare = text.replace(/<style[^>]*>[^]*?<\/style>/g, "");
  const parsed = new DOMParser().parseFromString(bare, "image/svg+xml").documentElement;
  if (parsed.tagName !== "svg") throw new Error("no drawing came");
  for (const element of [parsed, ...parsed.querySelectorAll("*")]) {
    if (WHOLE[element.localName]) {
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

/** One score; `onPick(tick, event)` hears where it was pressed, `onBar(number)` of Shift. */
export class ScoreView {
  constructor({ onPick, onBar }) {
    this.ask = latest();
    this.cursor = make("div", { class: "cursor", hidden: true });
    this.element = make("div", { class: "score" });
    this.heads = [];
    this.bands = [];
    this.element.addEventListener("click", (event) => {
      if (!this.melody) return;
      const tick = this.#tickAt(event);
      if (event.shiftKey) onBar(barAt(this.melody, tick).number);
      else onPick(tick);
    });
  }

  /** Engrave a melody; resolves when it is there, or when a newer one was asked for. */
  async show(melody, primerNotes = 0) {
    const scale = this.#scale();
    const width = Math.round(Math.min(Math.max(this.element.clientWidth / scale, 220), 2400));
    let sent;
    try {
      sent = await this.ask("/api/score", { body: { melody: { ...melody, title: "" }, width } });
    } catch (error) {
      if (!isDropped(error)) throw error;
      return;
    }
    const drawing = adopted(sent.svg);
    drawing.setAttribute("aria-label", `Score of ${melody.notes.length} notes`);
    drawing.querySelector("title")?.remove();
    this.element.replaceChildren(drawing, this.cursor);
    [this.melody, this.primerNotes] = [melody, primerNotes];
    this.#find(drawing, sent.notes);
    this.width = this.element.clientWidth;
  }

  /** Take the score away. */
  clear() {
    this.melody = null;
    this.heads = [];
    this.element.replaceChildren();
  }

  /** Whether the room has changed since it was engraved. */
  get isStale() {
    return Boolean(this.melody) && Math.abs(this.element.clientWidth - this.width) > 8;
  }

  #scale() {
    const size = parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
    return (this.element.clientWidth < 420 ? 0.85 : 1) * size;
  }

  // Where the heads, bars and lines lie, as parts of the drawing's own size.
  #find(drawing, notes) {
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
      group.classList.toggle("primer", note < this.primerNotes);
    }
    this.lines = systems;
    const bars = barsOf(this.melody);
    this.measures = [...drawing.querySelectorAll(".measure")].map((measure, number) => {
      const line = systems.findIndex(({ system }) => system.contains(measure));
      return { ...part(staffBox(measure)), line, ...bars[number] };
    });
  }

  /** Colour the notes as the page is set. */
  colour(candidate) {
    for (const { note, group, isFirst } of this.heads) {
      const { kind, mark } = colourOf(candidate, note);
      group.setAttribute("class", ["note", kind, note < this.primerNotes && !kind ? "primer" : ""].filter(Boolean).join(" "));
      group.querySelector(".verdict-sign")?.remove();
      if (!mark || !isFirst) continue;
      const box = group.getBBox(), head = group.querySelector(".notehead").getBBox();
      group.append(draw("text", { class: "verdict-sign", x: head.x + head.width / 2, y: box.y + box.height + 430 }, mark));
    }
  }

  /** Where a tick lies: the line, and how far to the right. */
  #place(tick) {
    const measure = this.measures.find((one) => tick < one.end) ?? this.measures.at(-1);
    if (!measure) return null;
    const stops = this.heads.filter((head) => head.line === measure.line && head.isFirst)
      .map((head) => ({ tick: this.melody.notes[head.note]?.onset ?? 0, x: head.x }))
      .filter((stop) => stop.tick >= measure.start && stop.tick < measure.end);
    const end = { tick: measure.end, x: measure.right };
    const first = stops[0]?.tick === measure.start ? [] : [{ tick: measure.start, x: measure.x + (stops.length ? 0.25 * (stops[0].x - measure.x) : 0.02) }];
    const path = [...first, ...stops, end];
    const after = Math.max(path.findIndex((stop) => stop.tick > tick), 1);
    const [a, b] = [path[after - 1], path[after] ?? end];
    const share = b.tick > a.tick ? Math.min((tick - a.tick) / (b.tick - a.tick), 1) : 0;
    return { line: this.lines[measure.line] ?? measure, x: a.x + share * (b.x - a.x) };
  }

  /** Move the cursor to a tick. */
  moveTo(tick) {
    const place = this.melody && this.heads.length ? this.#place(tick) : null;
    this.cursor.hidden = !place;
    if (!place) return;
    const room = 0.2 * (place.line.bottom - place.line.y);
    Object.assign(this.cursor.style, { left: `${100 * place.x}%`, top: `${100 * (place.line.y - room)}%`, height: `${100 * (place.line.bottom - place.line.y + 2 * room)}%` });
  }

  /** Show which bars are chosen. */
  select(selection) {
    for (const band of this.bands) band.remove();
    const chosen = selection && this.melody ? this.measures.filter((one) => one.number >= selection.first && one.number <= selection.last) : [];
    this.bands = chosen.map((one) => {
      const band = make("div", { class: "chosen-bars" });
      const room = 0.3 * (one.bottom - one.y);
      Object.assign(band.style, { left: `${100 * one.x}%`, width: `${100 * (one.right - one.x)}%`, top: `${100 * (one.y - room)}%`, height: `${100 * (one.bottom - one.y + 2 * room)}%` });
      return band;
    });
    this.element.append(...this.bands);
  }

  #tickAt(event) {
    const all = this.element.querySelector("svg").getBoundingClientRect();
    const x = (event.clientX - all.left) / all.width, y = (event.clientY - all.top) / all.height;
    const away = (line) => Math.max(line.y - y, 0, y - line.bottom);
    const line = this.lines.reduce((best, one, number) => (away(one) < away(this.lines[best]) ? number : best), 0);
    const inBar = this.measures.find((one) => one.line === line && x <= one.right) ?? this.measures.findLast((one) => one.line === line);
    const heads = this.heads.filter((head) => head.line === line && head.isFirst && (!event.shiftKey || !inBar));
    if (event.shiftKey && inBar) return inBar.start;
    if (!heads.length) return inBar?.start ?? 0;
    const nearest = heads.reduce((best, head) => (Math.abs(head.x - x) < Math.abs(best.x - x) ? head : best));
    return this.melody.notes[nearest.note].onset;
  }
}

// The lines of a staff alone: stems and signs reach beyond.
function staffBox(group) {
  const boxes = [...group.querySelectorAll(".staff > path")].map((path) => path.getBoundingClientRect());
  if (!boxes.length) return group.getBoundingClientRect();
  const most = (name, choose) => choose(...boxes.map((box) => box[name]));
  return { left: most("left", Math.min), right: most("right", Math.max), top: most("top", Math.min), bottom: most("bottom", Math.max) };
}
