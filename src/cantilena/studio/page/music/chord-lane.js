// The chord lane over the score: the chords bar by bar, typed, tapped from a palette, or found for the melody.

import { latestOnly, isAborted, request } from "/page/api.js";
import { announce, make } from "/page/elements.js";
import { chordTitle, leadSheet } from "/page/music/chords.js";
import { meterTicks } from "/page/music/music.js";
import { modelTitle } from "/page/settings.js";
import { apply } from "/page/editing/commands.js";
import { modelNamed, shownCandidate, state, updateSettings } from "/page/state.js";

const ORIGINS = { diatonic: "In the key", borrowed: "Borrowed", "applied dominant": "Applied dominants" };
const STYLES = [["chorale", "as in chorales"], ["lied", "as in songs"]];
const POSITIONS = [["half-bar", "one a half bar"], ["bar", "one a bar"], ["beat", "one a beat"]];
const SUGGESTIONS = 3;
let isOpen = false, lanes = 0;

/** The lane of a column. */
export class ChordLane {
  constructor(column) {
    lanes += 1;
    this.column = column;
    this.id = `lane-${lanes}`;
    this.requestLatest = latestOnly();
    this.bar = 0;
    this.summary = make("span", { class: "soft" });
    this.grid = make("div", { class: "lane-bars", role: "group", "aria-label": "Chords, bar by bar" });
    this.error = make("p", { class: "error", id: `${this.id}-error`, role: "alert", hidden: true });
    this.palette = make("div", { class: "lane-palette" });
    this.style = make("select", { "aria-label": "Style of suggested chords" }, ...STYLES.map(([value, label]) => make("option", { value }, label)));
    this.every = make("select", { "aria-label": "How often suggested chords change" }, ...POSITIONS.map(([value, label]) => make("option", { value }, label)));
    this.suggestButton = make("button", { type: "button", class: "lane-suggest", onclick: () => this.#suggest() }, "Suggest chords");
    this.useButton = make("button", { type: "button", class: "lane-use", onclick: () => this.#use() }, "Compose over these chords");
    this.clearButton = make("button", { type: "button", class: "lane-clear", onclick: () => this.#commit(this.lane.bars.map(() => "")) }, "Remove chords");
    this.suggestions = make("ul", { class: "lane-suggestions", "aria-label": "Suggested chords", hidden: true });
    this.element = make("details", { class: "chord-lane", open: isOpen, hidden: true },
      make("summary", {}, "Chords ", this.summary),
      make("div", { class: "lane-inside" }, this.grid, this.error, this.palette,
        make("div", { class: "lane-tools" }, this.suggestButton, this.style, this.every, make("span", { class: "spring" }), this.useButton, this.clearButton),
        this.suggestions));
    this.element.addEventListener("toggle", () => {
      isOpen = this.element.open;
      this.#load();
    });
  }

  /** Show the chords of the candidate that the column shows. */
  show() {
    const melody = shownCandidate(this.column)?.melody;
    this.element.hidden = !melody;
    if (!melody) return;
    const chords = melody.chords ?? [];
    this.summary.textContent = chords.length ? `${chords.slice(0, 4).map(({ symbol }) => chordTitle(symbol)).join(" ")}${chords.length > 4 ? " …" : ""}` : "none yet: type, tap or suggest them";
    this.useButton.disabled = !chords.length;
    this.clearButton.disabled = !chords.length;
    if (this.melody !== melody) this.#forget();
    this.#load();
  }

  #forget() {
    this.lane = null;
    this.suggestions.hidden = true;
    this.#fail();
  }

  async #load() {
    const melody = shownCandidate(this.column)?.melody;
    if (!this.element.open || !melody || this.melody === melody) return;
    this.melody = melody;
    const lane = await this.#request("/api/chords", { melody: bare(melody) });
    if (lane && this.melody === melody) this.#draw(lane);
  }

  async #request(path, body) {
    try {
      return await this.requestLatest(path, { body });
    } catch (error) {
      if (!isAborted(error)) this.#fail(error);
      return null;
    }
  }

  #fail(error = null) {
    this.error.hidden = !error;
    this.error.textContent = error ? [error.message, error.hint].filter(Boolean).map((part) => `${part[0].toUpperCase()}${part.slice(1)}.`).join(" ") : "";
    const [, number] = /^in bar (\d+)/.exec(error?.message ?? "") ?? [];
    this.#fields().forEach((field, at) => field.setAttribute("aria-invalid", String(Number(number) === at + 1)));
  }

  #fields() {
    return [...this.grid.querySelectorAll("input")];
  }

  // Draw the lane; fields that are there already stay, so that the focus does.
  #draw(lane) {
    this.lane = lane;
    if (this.#fields().length !== lane.bars.length) {
      this.bar = 0;
      this.grid.replaceChildren(...lane.bars.map((_, at) => this.#cell(at)));
    }
    const { bar } = meterTicks(lane.melody.meter), pickup = lane.melody.pickup % bar;
    this.#fields().forEach((field, at) => {
      if (field !== document.activeElement || field.dataset.sent === field.value) field.value = lane.bars[at];
      const numerals = lane.chords.filter(({ onset }) => Math.floor((onset - pickup) / bar) === at && onset >= pickup);
      field.nextElementSibling.textContent = numerals.map(({ roman }) => roman).join(" ");
    });
    this.palette.replaceChildren(...Object.entries(ORIGINS).map(([origin, title]) => make("div", { class: "palette-row", role: "group", "aria-label": `${title}, ${lane.key}` },
      make("span", { class: "soft" }, title), ...lane.palette.filter((one) => one.origin === origin).map((one) => this.#choice(one)))));
    this.#point(this.bar);
    this.#fail();
  }

  #cell(at) {
    const field = make("input", { type: "text", "aria-label": `Chords of bar ${at + 1}`, "aria-describedby": this.error.id, spellcheck: "false", autocapitalize: "off", autocomplete: "off",
      onchange: () => this.#typed(field, at), onfocus: () => this.#point(at), onkeydown: (event) => { if (event.key === "Enter") { event.preventDefault(); this.#typed(field, at); } } });
    return make("label", { class: "lane-bar" }, make("span", { class: "lane-number", "aria-hidden": "true" }, String(at + 1)), field, make("span", { class: "roman" }));
  }

  // A whole lead sheet that is typed or pasted into one bar goes on in the next ones.
  #typed(field, at) {
    const fields = this.#fields(), parts = field.value.split(/[|\n]+/).filter((part) => part.trim());
    if (parts.length > 1) parts.forEach((part, step) => { if (fields[at + step]) fields[at + step].value = part.trim(); });
    this.#commit(fields.map((one) => one.value));
  }

  #choice({ symbol, roman }) {
    return make("button", { type: "button", class: "palette-chord", "aria-label": `${chordTitle(symbol)}, ${roman}`, data: { symbol }, onclick: () => this.#tap(symbol) },
      make("b", {}, chordTitle(symbol)), make("span", { class: "roman" }, roman));
  }

  async #tap(symbol) {
    const at = this.bar;
    this.#point(Math.min(at + 1, this.lane.bars.length - 1));
    await this.#commit(this.lane.bars.map((text, number) => (number === at ? symbol : text)));
    announce(`${chordTitle(symbol)} in bar ${at + 1}.`);
  }

  // Mark the bar that a chord of the palette goes to.
  #point(at) {
    this.bar = Math.min(at, Math.max((this.lane?.bars.length ?? 1) - 1, 0));
    [...this.grid.children].forEach((cell, number) => cell.classList.toggle("current", number === this.bar));
    this.palette.setAttribute("data-bar", String(this.bar + 1));
  }

  async #commit(bars) {
    const { melody } = shownCandidate(this.column);
    this.#fields().forEach((field) => { field.dataset.sent = field.value; });
    if (this.error.hidden && bars.join("|") === this.lane.bars.join("|")) return;
    this.lane.bars = bars;  // a newer request, which aborts this one, has these chords too
    const lane = await this.#request("/api/chords", { melody: bare(melody), bars });
    if (!lane || shownCandidate(this.column)?.melody !== melody) return;
    this.#change(melody, lane.melody.chords, lane);
  }

  #change(melody, chords, lane = null) {
    const changed = { ...melody, chords };
    if (lane) {
      this.melody = changed;
      this.#draw(lane);
    }
    const numbers = melody.notes.map((_, number) => number);
    apply(this.column, { melody: changed, from: numbers, numbers: this.column.numbers ?? [] }, "Change chords", "chords");
  }

  async #suggest() {
    const { melody } = shownCandidate(this.column);
    this.suggestButton.disabled = true;
    const found = await this.#request("/api/harmonise", { melody: bare(melody), style: this.style.value, every: this.every.value, count: SUGGESTIONS });
    this.suggestButton.disabled = false;
    if (!found || shownCandidate(this.column)?.melody !== melody) return;
    this.suggestions.hidden = false;
    this.suggestions.replaceChildren(...found.harmonies.map((harmony, at) => make("li", {},
      make("button", { type: "button", "aria-label": `Use suggestion ${at + 1}`, onclick: () => this.#apply(harmony, at + 1) }, `Use ${at + 1}`),
      make("span", {}, inBars(harmony, melody)))));
    announce(`${found.harmonies.length} suggestions.`);
    this.suggestions.querySelector("button")?.focus();
  }

  async #apply(harmony, number) {
    const { melody } = shownCandidate(this.column), changed = { ...melody, chords: harmony.melody.chords };
    const lane = await request("/api/chords", { body: { melody: bare(changed) } }).catch((error) => this.#fail(error));
    if (!lane || shownCandidate(this.column)?.melody !== melody) return;
    this.#change(melody, lane.melody.chords, lane);
    announce(`Suggestion ${number} is over the melody.`);
  }

  #use() {
    const { melody, model } = shownCandidate(this.column);
    const before = state.settings.model;
    const follows = modelNamed(before)?.follows_chords ? before : modelNamed(model)?.follows_chords ? model : state.models.find((one) => one.follows_chords)?.name;
    const chords = leadSheet(this.lane.bars);
    updateSettings({ chords, bars: this.lane.bars.length, meter: melody.meter, key: this.lane.key, ...(follows ? { model: follows } : {}) });
    document.getElementById("form-chords").open = true;
    announce(`The next melody is composed over these chords${follows && follows !== before ? `, by ${modelTitle(follows)}, which follows chords` : ""}.`);
  }
}

// A title may be longer than the server takes, and is not needed.
const bare = (melody) => ({ ...melody, title: "" });

// The chords of a harmony, bar by bar, as one line.
function inBars({ chords }, melody) {
  const { bar } = meterTicks(melody.meter), pickup = melody.pickup % bar, bars = [];
  for (const { onset, symbol } of chords) {
    const at = Math.max(Math.floor((onset * 24 - pickup) / bar) + (pickup ? 1 : 0), 0);
    (bars[at] ??= []).push(chordTitle(symbol));
  }
  return Array.from(bars, (one) => one?.join(" ") ?? "–").join(" | ");
}
