// The rules in plain words, each with a slider: what it weighs, what it gave, where it speaks.

import { isDropped, latest } from "/page/api.js";
import { colourBy, signed } from "/page/music/colours.js";
import { judgeAll, onlyThisRule } from "/page/compose.js";
import { byId, complain, make, settled } from "/page/elements.js";
import { carried, written } from "/page/link.js";
import { plainName } from "/page/settings.js";
import { on, set, shown, state } from "/page/state.js";

const MOST = 4;
const rows = new Map();
const asker = latest();

const currentSet = () => state.sets.find((one) => one.name === state.settings.set);
const weightOf = (rule) => (state.settings.only.length && !state.settings.only.includes(rule.name) ? 0 : state.settings.rules[rule.name] ?? rule.weight);

const judgeSoon = settled(async () => {
  try {
    await judgeAll(asker);
  } catch (error) {
    if (!isDropped(error)) complain("compose-error", error);
  }
}, 50);

/** Draw the list, and listen to it. */
export function listenToRules() {
  let drawn = null;
  on("sets settings rules", () => {
    if (drawn !== currentSet()) {
      drawn = currentSet();
      redraw();
      judgeSoon();
    }
    showWeights();
  });
  on("opened", judgeSoon);
  on("colour", () => rows.get(state.rule)?.row.scrollIntoView({ block: "nearest" }));
  on("verdicts shown columns colour active", showValues);
  byId("rules-reset").addEventListener("click", () => weigh({}));
  byId("rules-none").addEventListener("click", () => weigh(Object.fromEntries((currentSet()?.rules ?? []).map((rule) => [rule.name, 0]))));
}

function weigh(weights) {
  set({ rules: weights, only: [] });
  judgeSoon();
  if (location.hash) history.replaceState(null, "", written(state.settings, carried()));
}

function redraw() {
  rows.clear();
  byId("rules").replaceChildren(...(currentSet()?.rules ?? []).map((rule) => {
    const name = plainName(rule.name), id = `weight-${rule.name}`;
    const title = make("button", { type: "button", class: "rule-name", "aria-pressed": "false", title: "Show where it speaks", onclick: () => colourBy("rules", state.rule === rule.name && state.colour === "rules" ? "" : rule.name) }, name);
    const value = make("span", { class: "rule-value" });
    const slider = make("input", { type: "range", id, min: 0, max: Math.max(MOST, 2 * rule.weight), step: 0.1, "aria-label": `Weight of ${name}`, oninput: (event) => weigh({ ...state.settings.rules, [rule.name]: Number(event.target.value) }) });
    const output = make("output", { for: id });
    const only = make("button", { type: "button", class: "rule-only", "aria-label": `Only this rule, before and after: ${name}`, onclick: () => onlyThisRule(rule.name) }, "Only this: hear it");
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
  const said = new Map((shown()?.verdict?.rules ?? []).map((rule) => [rule.name, rule.total]));
  for (const [name, { title, value }] of rows) {
    const total = said.get(name);
    value.textContent = total === undefined ? "" : signed(total);
    value.className = `rule-value ${total > 0 ? "gain" : total < 0 ? "loss" : ""}`.trim();
    title.setAttribute("aria-pressed", String(state.colour === "rules" && state.rule === name));
  }
}
