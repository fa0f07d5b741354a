// The columns of the music: a sheet each with score, roll and tools, and the cards of its candidates.

import { isDropped } from "/page/api.js";
import { signed } from "/page/music/colours.js";
import { cardsOf } from "/page/cards.js";
import { continueFrom, rewrite } from "/page/compose.js";
import { byId, complain, make, settled } from "/page/elements.js";
import { keep } from "/page/panels/history.js";
import { noteAt, pitchName, placeOf, upTo } from "/page/music/music.js";
import { play, stop } from "/page/music/player.js";
import { RollView } from "/page/music/roll.js";
import { ScoreView } from "/page/music/score.js";
import { keyTitle, plainName } from "/page/settings.js";
import { moveCursor, on, select, shownIn, state, tell } from "/page/state.js";
import { takeaway } from "/page/takeaway.js";

const MOST = 4;
let views = [];

/** Draw the columns, and follow what happens to them. */
export function listenToColumns() {
  on("columns", rebuild);
  on("shown", (column) => viewOf(column)?.show());
  on("live", (column, number) => viewOf(column)?.hear(number));
  on("tick", (column) => viewOf(column)?.move());
  on("selection", (column) => viewOf(column)?.select());
  on("colour verdicts kept", () => views.forEach((view) => view.judged()));
  on("playing active", () => views.forEach((view) => view.mark()));
  const resized = settled(() => views.forEach((view) => view.resized()), 180);
  new ResizeObserver(resized).observe(byId("columns"));
}

const viewOf = (column) => views.find((view) => view.column === column);

function rebuild() {
  if (!state.columns.length) {
    views = [];
    return;
  }
  const kept = views.length === state.columns.length && views.every((view, at) => view.column === state.columns[at]);
  if (!kept) {
    // A view is used again for the column that takes its place: nothing jumps.
    views = state.columns.map((column) => new ColumnView(column));
    byId("columns").replaceChildren(...views.map((view) => view.element));
  }
  byId("columns").classList.toggle("two", views.length > 1);
  byId("in-turn").hidden = views.length < 2;
  views.forEach((view) => view.show());
}

class ColumnView {
  constructor(column) {
    this.column = column;
    this.score = new ScoreView({ onPick: (tick) => this.#go(tick), onBar: (number) => this.#pickBar(number) });
    this.roll = new RollView({ label: `Position in the melody: ${column.title}`, onMove: (tick) => this.#go(tick), onSelect: (selection) => this.#select(selection) });
    this.heading = make("h2", {}, column.title);
    this.facts = make("p", { class: "facts" });
    this.worth = make("p", { class: "worth" });
    this.card = make("p", { class: "note-card" });
    this.cards = cardsOf(column);
    this.engrave = settled(() => this.#engraveLive(), 220);
    this.element = make("article", { class: "column", "aria-label": column.title },
      make("div", { class: "paper-sheet" },
        make("div", { class: "column-head" }, this.heading, this.facts, this.worth),
        this.score.element, this.roll.element, this.card, this.#tools()),
      this.cards.element);
    this.element.addEventListener("pointerdown", () => this.#activate());
    this.element.addEventListener("focusin", () => this.#activate());
  }

  #tools() {
    const column = this.column;
    this.play = make("button", { type: "button", class: "play-column", onclick: () => this.#play() }, "Play");
    this.keep = make("button", { type: "button", "aria-pressed": "false", onclick: () => keep(column, shownIn(column)) }, "Keep");
    this.onward = make("button", { type: "button", onclick: () => continueFrom(column) }, "Continue from the end");
    this.anew = make("button", { type: "button", class: "rewrite", hidden: true, onclick: () => rewrite(column) });
    return make("div", { class: "tools" }, this.play, this.keep, this.onward, this.anew, make("span", { class: "spring" }), takeaway(column));
  }

  /** Show the chosen candidate; before there is one, what is heard of it. */
  show() {
    const { column } = this, candidate = shownIn(column);
    if (!candidate) {
      this.hear(1);
      this.mark();
      return;
    }
    const { melody } = candidate;
    this.roll.selection = column.selection;
    this.roll.tick = column.tick;
    this.roll.show(candidate);
    this.#facts(candidate);
    this.score.show(melody, candidate.primer_notes).then(() => this.#dressed(), (error) => complain("compose-error", error));
    this.judged();
    this.mark();
  }

  #dressed() {
    const candidate = shownIn(this.column);
    if (!candidate || this.score.melody !== candidate.melody) return;
    this.score.colour(candidate);
    this.score.moveTo(this.column.tick);
    this.score.select(this.column.selection);
    this.element.dataset.ready = String(candidate.id);
  }

  #facts({ melody, number, rewritten, way, model }) {
    const which = way ? way.toLowerCase() : rewritten ? `bars ${rewritten.first}–${rewritten.last} anew` : number ? `number ${number}` : "";
    const facts = [this.column.note, keyTitle(melody.key), melody.meter, which];
    this.facts.textContent = facts.filter(Boolean).join(" · ");
    this.element.dataset.model = model;
  }

  /** A candidate that is being composed has new notes. */
  hear(number) {
    const { column } = this, live = column.live?.get(1);
    this.cards.hear(number);
    if (!live) {
      if (column.live) this.facts.textContent = "is being composed …";
      return;
    }
    if (number !== 1) return;
    this.roll.show(live, column.expected);
    this.roll.moveTo(live.melody.length);
    this.engrave();
  }

  #engraveLive() {
    const live = this.column.live?.get(1);
    if (!live?.melody.notes.length) return;
    this.score.show(live.melody).catch((error) => { if (!isDropped(error)) this.score.clear(); });
  }

  /** Verdicts or colours have changed. */
  judged() {
    const candidate = shownIn(this.column);
    if (!candidate) return;
    const total = candidate.verdict?.total;
    this.worth.replaceChildren(...(typeof total === "number" ? ["Rules ", make("b", {}, signed(total))] : []));
    this.keep.setAttribute("aria-pressed", String(candidate.kept));
    this.keep.textContent = candidate.kept ? "Kept" : "Keep";
    if (this.score.melody === candidate.melody) this.score.colour(candidate);
    this.roll.redraw();
    this.cards.show();
    this.#note();
  }

  /** The cursor has moved. */
  move() {
    this.score.moveTo(this.column.tick);
    this.roll.moveTo(this.column.tick);
    this.#note();
    this.#onward();
  }

  #onward() {
    const candidate = shownIn(this.column);
    const hasSome = candidate && this.column.tick && upTo(candidate.melody, this.column.tick).notes.length;
    const text = hasSome && !state.playing ? "Continue from here" : "Continue from the end";
    if (this.onward.textContent !== text && !state.playing) this.onward.textContent = text;
  }

  // The line under the roll: what is known of the note at the cursor.
  #note() {
    const candidate = shownIn(this.column), { tick } = this.column;
    if (!candidate || state.colour === "none" || state.playing) {
      this.card.replaceChildren();
      return;
    }
    const { melody } = candidate, number = Math.max(noteAt(melody, tick), 0), note = melody.notes[number];
    if (!note) return;
    const parts = [make("b", {}, `${note.pitches.map((pitch) => pitchName(pitch, melody.key)).join(" ")}, ${placeOf(melody, note.onset)}`)];
    if (state.colour === "probability") {
      const chance = candidate.probabilities?.[number];
      parts.push(make("span", {}, typeof chance === "number" ? `${(100 * chance).toFixed(chance < 0.1 ? 1 : 0)} in 100` : "given, not drawn"));
    } else {
      const said = candidate.verdict?.notes.find((one) => one.note === number);
      const values = Object.entries(said?.values ?? {}).filter(([rule]) => !state.rule || rule === state.rule).sort(([, a], [, b]) => Math.abs(b) - Math.abs(a));
      for (const [rule, value] of values.slice(0, MOST)) {
        parts.push(make("span", { class: value > 0 ? "gain" : "loss" }, `${signed(value)} ${plainName(rule).toLowerCase()}`));
      }
      if (!values.length) parts.push(make("span", {}, "no rule speaks here"));
    }
    this.card.replaceChildren(...parts);
  }

  /** Bars were chosen or let go. */
  select() {
    const { selection } = this.column;
    this.score.select(selection);
    this.roll.select(selection);
    this.anew.hidden = !selection;
    if (selection) this.anew.textContent = selection.first === selection.last ? `Rewrite bar ${selection.first}` : `Rewrite bars ${selection.first}–${selection.last}`;
  }

  /** Who is listened to, and whether it plays. */
  mark() {
    const isActive = state.columns[state.active] === this.column;
    this.element.classList.toggle("active", isActive);
    this.play.textContent = state.playing && isActive ? "Stop" : "Play";
    this.play.hidden = state.columns.length < 2;
    this.onward.disabled = this.keep.disabled = state.busy || !shownIn(this.column);
    this.select();
    this.#note();
    this.#onward();
  }

  /** The room has changed. */
  resized() {
    if (this.roll.element.clientWidth !== this.roll.width) this.roll.redraw();
    if (this.score.isStale && shownIn(this.column)) this.show();
  }

  #play() {
    if (state.playing && state.columns[state.active] === this.column) {
      stop();
      return;
    }
    this.#activate();
    play(this.column, { expressive: byId("expressive").checked }).catch((error) => complain("compose-error", error));
  }

  #activate() {
    const at = state.columns.indexOf(this.column);
    if (at < 0 || at === state.active) return;
    state.active = at;
    tell("active");
  }

  #go(tick) {
    this.#activate();
    if (state.playing) stop();
    moveCursor(this.column, tick);
  }

  #select(selection) {
    this.#activate();
    select(this.column, selection);
  }

  #pickBar(number) {
    const { selection } = this.column;
    this.#select(selection ? { first: Math.min(selection.first, number), last: Math.max(selection.last, number) } : { first: number, last: number });
  }
}

