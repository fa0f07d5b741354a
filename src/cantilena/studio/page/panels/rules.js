// The rules, each with a slider for its weight and with what it gave.

import { isAborted, latestOnly } from "/page/api.js";
import { colourBy, signed } from "/page/music/colours.js";
import { judgeAll, compareRule } from "/page/compose.js";
import { byId, showError, make, debounced } from "/page/elements.js";
import { extraParameters, toHash } from "/page/link.js";
import { ruleTitle } from "/page/settings.js";
import { on, updateSettings, currentCandidate, state } from "/page/state.js";

const MAX_WEIGHT = 4;
const rows = new Map();
const requestLatest = latestOnly();

const currentSet = () => state.sets.find((one) => one.name === state.settings.set);
const weightOf = (rule) => (state.settings.only.length && !state.settings.only.includes(rule.name) ? 0 : state.settings.rules[rule.name] ?? rule.weight);

const judgeSoon = debounced(async () => {
  try {
    await judgeAll(requestLatest);
  } catch (error) {
    if (!isAborted(error)) showError("compose-error", error);
  }
}, 50);

/** Set up the list. */
export function initRules() {
  let drawn = null;
  on("sets settings rules", () => {
    if (drawn !== currentSet()) {
      drawn = currentSet();
      redraw();
      judgeSoon();
    }
    showWeights();
  });
  on("opened changed", judgeSoon);
  on("colour", () => rows.get(state.rule)?.row.scrollIntoView({ block: "nearest" }));
  on("verdicts shown columns colour active", showValues);
  byId("rules-reset").addEventListener("click", () => setWeights({}));
  byId("rules-none").addEventListener("click", () => setWeights(Object.fromEntries((currentSet()?.rules ?? []).map((rule) => [rule.name, 0]))));
}

function setWeights(weights) {
  updateSettings({ rules: weights, only: [] });
  judgeSoon();
  if (location.hash) history.replaceState(null, "", toHash(state.settings, extraParameters()));
}

function redraw() {
  rows.clear();
  byId("rules").replaceChildren(...(currentSet()?.rules ?? []).map((rule) => {
    const name = ruleTitle(rule.name), id = `weight-${rule.name}`;
    const title = make("button", { type: "button", class: "rule-name", "aria-pressed": "false", title: "Show the notes that it affects", onclick: () => colourBy("rules", state.rule === rule.name && state.colour === "rules" ? "" : rule.name) }, name);
    const value = make("span", { class: "rule-value" });
    const slider = make("input", { type: "range", id, min: 0, max: Math.max(MAX_WEIGHT, 2 * rule.weight), step: 0.1, "aria-label": `Weight of ${name}`, oninput: (event) => setWeights({ ...state.settings.rules, [rule.name]: Number(event.target.value) }) });
    const output = make("output", { for: id });
    const only = make("button", { type: "button", class: "rule-only", "aria-label": `Hear the rule ${name} alone, before and after`, onclick: () => compareRule(rule.name) }, "Hear this rule alone");
    const row = make("li", { data: { rule: rule.name } }, make("div", { class: "rule-head" }, title, value), make("p", { class: "hint" }, rule.says), make("div", { class: "weigh" }, slider, output), only);
    rows.set(rule.name, { row, title, value, slider, output, rule });
    return row;
  }));
  showValues();
}

function showWeights() {
  for (const { row, slider, output, rule } of rows.values()) {
    const weight = weightOf(rule);
    if (Number(slider.value) !== weight) slider.value = String(weight);
    output.textContent = weight ? `× ${Number(weight.toFixed(2))}` : "off";
    slider.setAttribute("aria-valuetext", weight ? `times ${Number(weight.toFixed(2))}` : "off");
    row.classList.toggle("off", !weight);
  }
}

function showValues() {
  const totals = new Map((currentCandidate()?.verdict?.rules ?? []).map((rule) => [rule.name, rule.total]));
  for (const [name, { title, value }] of rows) {
    const total = totals.get(name);
    value.textContent = total === undefined ? "" : signed(total);
    value.className = `rule-value ${total > 0 ? "gain" : total < 0 ? "loss" : ""}`.trim();
    title.setAttribute("aria-pressed", String(state.colour === "rules" && state.rule === name));
  }
}
