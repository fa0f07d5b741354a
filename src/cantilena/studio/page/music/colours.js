// What colours a note: what a rule gave or took, or how likely it was. Signs say the same to those who see no colour.

import { byId, make } from "/page/elements.js";
import { plainName } from "/page/settings.js";
import { on, state, tell } from "/page/state.js";

const STEPS = [0.02, 0.05, 0.12, 0.3, 0.6];
const LEAST = 1e-6;

/** The class of a note and the sign beside it. */
export function colourOf(candidate, note) {
  if (state.colour === "probability") {
    const chance = candidate?.probabilities?.[note];
    return typeof chance === "number" ? { kind: `heat-${STEPS.filter((step) => chance >= step).length}`, mark: "" } : { kind: "", mark: "" };
  }
  if (state.colour !== "rules") return { kind: "", mark: "" };
  const value = valueOf(candidate, note);
  if (Math.abs(value) < LEAST) return { kind: "", mark: "" };
  return value > 0 ? { kind: "gain", mark: "+" } : { kind: "loss", mark: "−" };
}

/** What the chosen rule, or all together, gave to a note. */
function valueOf(candidate, note) {
  const said = candidate?.verdict?.notes.find((one) => one.note === note);
  return said ? (state.rule ? said.values[state.rule] ?? 0 : said.total) : 0;
}

/** A number with its sign, in few digits. */
export function signed(value) {
  const digits = Math.abs(value) < 9.95 ? 2 : 1;
  const text = Math.abs(value).toFixed(digits).replace(/\.?0+$/, "");
  return text === "0" ? "0" : `${value < 0 ? "−" : "+"}${text}`;
}

/** Choose what colours the notes. */
export function colourBy(colour, rule = "") {
  state.colour = colour;
  state.rule = rule;
  tell("colour");
}

/** Listen to the choice, and say what the colours mean. */
export function listenToColours() {
  for (const choice of document.querySelectorAll("input[name=colour]")) {
    choice.addEventListener("change", () => colourBy(choice.value));
  }
  on("colour", () => {
    for (const choice of document.querySelectorAll("input[name=colour]")) choice.checked = choice.value === state.colour;
    legend();
  });
}

function legend() {
  const place = byId("legend");
  place.hidden = state.colour === "none";
  if (state.colour === "rules") {
    place.replaceChildren(
      make("b", {}, state.rule ? plainName(state.rule) : "All rules together"),
      make("span", { class: "gain" }, "+ pleases"), make("span", { class: "loss" }, "− displeases"), make("span", {}, "without a sign: nothing to say"),
      state.rule ? make("button", { type: "button", class: "link", onclick: () => colourBy("rules") }, "show all rules") : null ?? "",
    );
  } else if (state.colour === "probability") {
    const scale = make("span", { class: "scale", "aria-hidden": "true" }, ...[0, 1, 2, 3, 4, 5].map((step) => make("i", { class: `heat-${step}` })));
    place.replaceChildren(make("b", {}, "How likely the model held each note"), make("span", {}, "under 2 in 100"), scale, make("span", {}, "over 60 in 100"), make("span", {}, "ink: given, not drawn"));
  }
}
