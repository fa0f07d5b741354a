// The columns: each has a score, a piano roll, buttons, and the cards of its candidates.

import { isAborted } from "/page/api.js";
import { signed } from "/page/music/colours.js";
import { candidateCards, candidateName } from "/page/cards.js";
import { continueFrom, rewrite } from "/page/compose.js";
import { change } from "/page/editing/commands.js";
import { editToolbar, setEditing } from "/page/editing/toolbar.js";
import { byId, showError, make, debounced } from "/page/elements.js";
import { toggleKept } from "/page/panels/history.js";
import { noteAt, pitchName, positionText, melodyUntil } from "/page/music/music.js";
import { play, stop } from "/page/music/player.js";
import { ChordLane } from "/page/music/chord-lane.js";
import { chordAt, chordTitle, isChordTone } from "/page/music/chords.js";
import { FormStrip } from "/page/music/form-strip.js";
import { RollView } from "/page/music/roll.js";
import { ScoreView } from "/page/music/score.js";
import { keyTitle, ruleTitle } from "/page/settings.js";
import { moveCursor, on, pickNotes, selectBars, shownCandidate, state, emit } from "/page/state.js";
import { downloadButtons } from "/page/download.js";
import { midiHandle } from "/page/drag.js";

const MAX_RULES = 4;
let views = [];

/** Draw the columns, and update them at each event. */
export function initColumns() {
  on("columns", rebuild);
  on("shown", (column) => viewOf(column)?.show());
  on("live", (column, number) => viewOf(column)?.showLive(number));
  on("tick", (column) => viewOf(column)?.updateCursor());
  on("selection", (column) => viewOf(column)?.updateSelection());
  on("colour verdicts kept", () => views.forEach((view) => view.updateVerdicts()));
  on("picked", (column) => viewOf(column)?.updatePicked());
  on("clip", () => views.forEach((view) => view.updatePicked()));
  on("playing active busy", () => views.forEach((view) => view.updateButtons()));
  on("editing", () => views.forEach((view) => view.updateEditing()));
  const resized = debounced(() => views.forEach((view) => view.resized()), 180);
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
    views = state.columns.map((column) => new ColumnView(column));
    byId("columns").replaceChildren(...views.map((view) => view.element));
  }
  byId("columns").classList.toggle("two", views.length > 1);
  byId("play-in-turn").hidden = views.length < 2;
  views.forEach((view) => view.show());
}

class ColumnView {
  constructor(column) {
    this.column = column;
    const onNotes = (numbers) => this.#pick(numbers), onChange = (kind, changes) => change(column, kind, changes);
    this.score = new ScoreView({ onPick: (tick) => this.#moveTo(tick), onBar: (number) => this.#selectBar(number), onNotes, onChange });
    this.roll = new RollView({ label: `Position in the melody: ${column.title}`, onMove: (tick) => this.#moveTo(tick), onSelect: (selection) => this.#select(selection), onPick: onNotes, onChange });
    this.toolbar = editToolbar(column);
    this.form = new FormStrip(column);
    this.lane = new ChordLane(column);
    this.heading = make("h2", {}, column.title);
    this.facts = make("p", { class: "facts" });
    this.total = make("p", { class: "total" });
    this.noteInfo = make("p", { class: "note-info" });
    this.cards = candidateCards(column);
    this.engrave = debounced(() => this.#engraveLive(), 220);
    this.element = make("article", { class: "column", "aria-label": column.title },
      make("div", { class: "paper-sheet" },
        make("div", { class: "column-head" }, this.heading, this.facts, this.total),
        this.form.element, this.lane.element, this.score.element, this.roll.element, this.toolbar.element, this.noteInfo, this.#tools()),
      this.cards.element);
    this.element.addEventListener("pointerdown", () => this.#activate());
    this.element.addEventListener("focusin", () => this.#activate());
    this.updateEditing();
  }

  #tools() {
    const column = this.column;
    this.play = make("button", { type: "button", class: "play-column", onclick: () => this.#play() }, "Play");
    this.keep = make("button", { type: "button", "aria-pressed": "false", onclick: () => toggleKept(column, shownCandidate(column)) }, "Keep");
    this.continueButton = make("button", { type: "button", onclick: () => continueFrom(column) }, "Continue from the end");
    this.editButton = make("button", { type: "button", class: "edit", "aria-pressed": "false", title: "Edit the notes (Ctrl+E)", onclick: () => setEditing(!state.editing) }, "Edit");
    this.rewriteButton = make("button", { type: "button", class: "rewrite", hidden: true, onclick: () => rewrite(column) });
    return make("div", { class: "tools" }, this.play, this.editButton, this.keep, this.continueButton, this.rewriteButton, make("span", { class: "spring" }), midiHandle(column), downloadButtons(column));
  }

  /** Show the current candidate; while it is being composed, its notes so far. */
  show() {
    const { column } = this, candidate = shownCandidate(column);
    if (!candidate) {
      this.showLive(1);
      this.updateButtons();
      return;
    }
    const { melody } = candidate;
    this.roll.selection = column.selection;
    this.roll.tick = column.tick;
    this.roll.numbers = this.score.numbers = column.numbers ?? [];
    this.roll.show(candidate);
    this.#facts(candidate);
    this.form.show();
    this.lane.show();
    this.score.show(melody).then(() => this.#decorateScore(), (error) => showError("compose-error", error));
    this.updateVerdicts();
    this.updateButtons();
  }

  #decorateScore() {
    const candidate = shownCandidate(this.column);
    if (!candidate || this.score.melody !== candidate.melody) return;
    this.score.colour(candidate);
    this.score.moveTo(this.column.tick);
    this.score.showSelection(this.column.selection);
    this.element.dataset.ready = String(candidate.id);
  }

  #facts(candidate) {
    const { melody, model, seed } = candidate, name = candidateName(candidate), which = name === "Original" ? "" : name[0].toLowerCase() + name.slice(1);
    const facts = [this.column.note, keyTitle(melody.key), melody.meter, which, seed ? `seed ${seed}` : ""];
    this.facts.textContent = facts.filter(Boolean).join(" · ");
    this.element.dataset.model = model;
  }

  /** Show the notes so far of a candidate that is being composed. */
  showLive(number) {
    const { column } = this, live = column.live?.get(1);
    this.cards.showLive(number);
    if (!live) {
      if (column.live) this.facts.textContent = "composing …";
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
    this.score.show(live.melody).catch((error) => { if (!isAborted(error)) this.score.clear(); });
  }

  /** Update after verdicts or colours have changed. */
  updateVerdicts() {
    const candidate = shownCandidate(this.column);
    if (!candidate) return;
    const total = candidate.verdict?.total;
    this.total.replaceChildren(...(typeof total === "number" ? ["Rules ", make("b", {}, signed(total))] : []));
    this.keep.setAttribute("aria-pressed", String(candidate.kept));
    this.keep.textContent = candidate.kept ? "Kept" : "Keep";
    if (this.score.melody === candidate.melody) this.score.colour(candidate);
    this.roll.redraw();
    this.cards.show();
    this.#showNoteInfo();
  }

  /** Update after the cursor has moved. */
  updateCursor() {
    this.score.moveTo(this.column.tick);
    this.roll.moveTo(this.column.tick);
    if (state.playing) this.score.follow();
    this.#showNoteInfo();
    this.#updateContinueButton();
  }

  #updateContinueButton() {
    const candidate = shownCandidate(this.column);
    const hasSome = candidate && this.column.tick && melodyUntil(candidate.melody, this.column.tick).notes.length;
    const text = hasSome && !state.playing ? "Continue from here" : "Continue from the end";
    if (this.continueButton.textContent !== text && !state.playing) this.continueButton.textContent = text;
  }

  // The line below the piano roll: the note at the cursor.
  #showNoteInfo() {
    const candidate = shownCandidate(this.column), { tick } = this.column;
    if (!candidate || state.colour === "none" || state.playing) {
      this.noteInfo.replaceChildren();
      return;
    }
    const { melody } = candidate, number = Math.max(noteAt(melody, tick), 0), note = melody.notes[number];
    if (!note) return;
    const parts = [make("b", {}, `${note.pitches.map((pitch) => pitchName(pitch, melody.key)).join(" ")}, ${positionText(melody, note.onset)}`)];
    if (state.colour === "probability") {
      const probability = candidate.probabilities?.[number];
      parts.push(make("span", {}, typeof probability === "number" ? `${(100 * probability).toFixed(probability < 0.1 ? 1 : 0)} % likely` : "given, not composed"));
    } else if (state.colour === "chords") {
      const chord = chordTitle(chordAt(melody, note.onset)), fits = isChordTone(melody, note);
      parts.push(make("span", {}, fits === null ? "no chord sounds here" : `${fits ? "chord tone" : "non-chord tone"} over ${chord}`));
    } else {
      const verdict = candidate.verdict?.notes.find(({ note: index }) => index === number);
      const values = Object.entries(verdict?.values ?? {}).filter(([rule]) => !state.rule || rule === state.rule).sort(([, a], [, b]) => Math.abs(b) - Math.abs(a));
      for (const [rule, value] of values.slice(0, MAX_RULES)) {
        const says = candidate.verdict.rules.find(({ name }) => name === rule)?.says ?? "";
        parts.push(make("span", { class: value > 0 ? "gain" : "loss" }, `${signed(value)} ${ruleTitle(rule).toLowerCase()}`,
          make("span", { class: "soft" }, ` ${value > 0 ? "kept" : "broken"} ${verdict.when[rule] ?? ""}: ${says}`)));
      }
      if (!values.length) parts.push(make("span", {}, "no rule applies here"));
    }
    this.noteInfo.replaceChildren(...parts);
  }

  /** Update after the selection of bars has changed. */
  updateSelection() {
    const { selection } = this.column;
    this.score.showSelection(selection);
    this.roll.showSelection(selection);
    this.rewriteButton.hidden = !selection;
    if (selection) this.rewriteButton.textContent = selection.first === selection.last ? `Rewrite bar ${selection.first}` : `Rewrite bars ${selection.first}–${selection.last}`;
  }

  /** Update after other notes were selected. */
  updatePicked() {
    const { numbers = [] } = this.column;
    this.roll.showPicked(numbers);
    this.score.showPicked(numbers);
    this.toolbar.update();
  }

  /** Update after the editor was switched on or off. */
  updateEditing() {
    this.roll.isEdited = this.score.isEdited = state.editing;
    this.element.classList.toggle("editing", state.editing);
    this.editButton.setAttribute("aria-pressed", String(state.editing));
    this.roll.redraw();
    this.toolbar.update();
  }

  /** Update after another column became active, or playing started or stopped. */
  updateButtons() {
    const isActive = state.columns[state.active] === this.column;
    this.element.classList.toggle("active", isActive);
    this.play.textContent = state.playing && isActive ? "Stop" : "Play";
    this.play.hidden = state.columns.length < 2;
    this.form.update();
    this.continueButton.disabled = this.keep.disabled = this.editButton.disabled = state.busy || !shownCandidate(this.column);
    this.rewriteButton.disabled = state.busy;
    this.toolbar.update();
    this.updateSelection();
    this.#showNoteInfo();
    this.#updateContinueButton();
  }

  /** Update after the size has changed. */
  resized() {
    if (this.roll.element.clientWidth !== this.roll.width) this.roll.redraw();
    if (this.score.isStale && shownCandidate(this.column)) this.show();
  }

  #play() {
    if (state.playing && state.columns[state.active] === this.column) {
      stop();
      return;
    }
    this.#activate();
    play(this.column, { expressive: byId("expressive").checked }).catch((error) => showError("compose-error", error));
  }

  #activate() {
    const at = state.columns.indexOf(this.column);
    if (at < 0 || at === state.active) return;
    state.active = at;
    emit("active");
  }

  #moveTo(tick) {
    this.#activate();
    if (state.playing) stop();
    moveCursor(this.column, tick);
  }

  #select(selection) {
    this.#activate();
    selectBars(this.column, selection);
    this.toolbar.update();
  }

  #pick(numbers) {
    this.#activate();
    pickNotes(this.column, numbers);
  }

  #selectBar(number) {
    const { selection } = this.column;
    this.#select(selection ? { first: Math.min(selection.first, number), last: Math.max(selection.last, number) } : { first: number, last: number });
  }
}

