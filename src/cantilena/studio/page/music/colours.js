// The colours of notes: what the rules gave, how likely a note was, or whether it belongs to its chord. Signs say the same without colour.

import { byId, make } from "/page/elements.js";
import { isChordTone } from "/page/music/chords.js";
import { ruleTitle } from "/page/settings.js";
import { on, state, emit } from "/page/state.js";

const STEPS = [0.02, 0.05, 0.12, 0.3, 0.6];
const EPSILON = 1e-6;

/** The class of a note and its sign. */
export function colourOf(candidate, note) {
  if (state.colour === "probability") {
    const probability = candidate?.probabilities?.[note];
    return typeof probability === "number" ? { kind: `heat-${STEPS.filter((step) => probability >= step).length}`, mark: "" } : { kind: "", mark: "" };
  }
  if (state.colour === "chords") {
    const fits = candidate ? isChordTone(candidate.melody, candidate.melody.notes[note]) : null;
    return fits === null ? { kind: "", mark: "" } : fits ? { kind: "chord-tone", mark: "•" } : { kind: "non-chord-tone", mark: "×" };
  }
  if (state.colour !== "rules") return { kind: "", mark: "" };
  const value = valueOf(candidate, note);
  if (Math.abs(value) < EPSILON) return { kind: "", mark: "" };
  return value > 0 ? { kind: "gain", mark: "+" } : { kind: "loss", mark: "−" };
}

/** Whether a note was given, not composed. */
export function isGiven(candidate, number) {
  return candidate.probabilities?.length === candidate.melody.notes.length ? candidate.probabilities[number] === null : number < candidate.primer_notes;
}

/** What the chosen rule, or all rules together, gave to a note. */
function valueOf(candidate, note) {
  const verdict = candidate?.verdict?.notes.find((one) => one.note === note);
  return verdict ? (state.rule ? verdict.values[state.rule] ?? 0 : verdict.total) : 0;
}

/** Format a number with its sign. */
export function signed(value) {
  const digits = Math.abs(value) < 9.95 ? 2 : 1;
  const text = Math.abs(value).toFixed(digits).replace(/\.?0+$/, "");
  return text === "0" ? "0" : `${value < 0 ? "−" : "+"}${text}`;
}

/** Choose what colours the notes. */
export function colourBy(colour, rule = "") {
  state.colour = colour;
  state.rule = rule;
  emit("colour");
}

/** Set up the choice of colours, and their legend. */
export function initColours() {
  for (const choice of document.querySelectorAll("input[name=colour]")) {
    choice.addEventListener("change", () => colourBy(choice.value));
  }
  on("colour", () => {
    for (const choice of document.querySelectorAll("input[name=colour]")) choice.checked = choice.value === state.colour;
    showLegend();
  });
}

function showLegend() {
  const legend = byId("legend");
  legend.hidden = state.colour === "none";
  if (state.colour === "rules") {
    legend.replaceChildren(
      make("b", {}, state.rule ? ruleTitle(state.rule) : "All rules together"),
      make("span", { class: "gain" }, "+ rewarded"), make("span", { class: "loss" }, "− penalised"), make("span", {}, "no sign: no effect"),
      state.rule ? make("button", { type: "button", class: "link", onclick: () => colourBy("rules") }, "show all rules") : null ?? "",
    );
  } else if (state.colour === "chords") {
    legend.replaceChildren(make("b", {}, "By the chord that sounds when a note begins"), make("span", { class: "chord-tone" }, "• chord tone"), make("span", { class: "non-chord-tone" }, "× non-chord tone"), make("span", {}, "no sign: no chord"));
  } else if (state.colour === "probability") {
    const scale = make("span", { class: "scale", "aria-hidden": "true" }, ...[0, 1, 2, 3, 4, 5].map((step) => make("i", { class: `heat-${step}` })));
    legend.replaceChildren(make("b", {}, "How likely each note was for the model"), make("span", {}, "under 2 %"), scale, make("span", {}, "over 60 %"), make("span", {}, "black: given, not composed"));
  }
}
