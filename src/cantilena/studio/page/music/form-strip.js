// The form of a melody as a strip over its score: a block for each section, with a button that rewrites it.

import { icon, make } from "/page/elements.js";
import { rewriteSection } from "/page/compose.js";
import { nameOf, sectionsOf } from "/page/music/forms.js";
import { moveCursor, selectBars, shownCandidate, state } from "/page/state.js";
import { barsOf } from "/page/music/music.js";

/** The strip of a column. */
export class FormStrip {
  constructor(column) {
    this.column = column;
    this.element = make("div", { class: "form-strip", role: "group", "aria-label": "Form", hidden: true });
  }

  /** Show the sections of the candidate that the column shows. */
  show() {
    const candidate = shownCandidate(this.column), sections = sectionsOf(candidate);
    this.element.hidden = !sections;
    if (!sections || this.drawn === candidate) return;
    this.drawn = candidate;
    this.element.replaceChildren(...sections.map((section, at) => this.#block(section, at + 1, sections)));
    this.update();
  }

  /** Enable or disable the buttons. */
  update() {
    for (const button of this.element.querySelectorAll(".section-rewrite")) button.disabled = state.busy;
  }

  #block(section, number, sections) {
    const name = nameOf(section), cadence = section.cadence ? `, ${section.cadence} cadence` : "";
    const how = { new: "", literal: ", again literally", varied: ", again varied" }[section.kind];
    const all = sections.filter((one) => one.label === section.label);
    const what = `Rewrite section ${section.label}${all.length > 1 ? " and all its returns" : ""}: bars ${all.map(bars).join(", ")}`;
    const block = make("div", { class: `section section-${(section.label.charCodeAt(0) - 65) % 6}`, data: { section: name } },
      make("button", { type: "button", class: "section-select", "aria-label": `Section ${name}, bars ${bars(section)}${how}${cadence}: select its bars`, onclick: () => this.#select(section) },
        make("b", {}, name), make("span", { class: "section-bars" }, bars(section)), section.cadence ? make("span", { class: "section-cadence" }, section.cadence) : null),
      make("button", { type: "button", class: "section-rewrite", "aria-label": what, title: what, onclick: () => rewriteSection(this.column, number) }, icon("again")));
    block.style.flexGrow = section.bars;
    return block;
  }

  #select(section) {
    const bar = barsOf(shownCandidate(this.column).melody).find((one) => one.number === section.first);
    if (bar) moveCursor(this.column, bar.start);
    selectBars(this.column, { first: section.first, last: section.last });
  }
}

const bars = ({ first, last }) => (first === last ? `${first}` : `${first}–${last}`);
