// The fields of the settings panel.

import { byId, make } from "/page/elements.js";
import { initNumberFields, isWrong, setFieldError } from "/page/fields.js";
import { modelNamed, on, updateSettings, state } from "/page/state.js";

const KEYS = ["C major", "G major", "D major", "A major", "E major", "B major", "F major", "Bb major", "Eb major", "Ab major", "Db major", "A minor", "E minor", "B minor", "F# minor", "C# minor", "D minor", "G minor", "C minor", "F minor", "Bb minor", "D dorian", "E phrygian", "F lydian", "G mixolydian"];
const METERS = ["4/4", "3/4", "2/4", "6/8", "9/8", "12/8", "2/2", "3/8", "5/4"];
const NUMBERS = ["bars", "count", "tempo", "temperature", "top_k", "top_p", "seed"];
const TEXTS = ["key", "meter", "range", "style", "constrain", "set"];
const CHECKS = ["greedy", "with_primer"];

/** Titles of the models that ship with Cantilena. */
const TITLES = {
  tunes: "Folk tunes, plain model", "tunes+rl": "Folk tunes, tuned on rules", "tunes+rl-tuner": "Folk tunes, tuned on the paper’s rules",
  classical: "Classical, plain model", "classical+rl": "Classical, tuned on rules",
  "tunes-vae": "Folk tunes, for interpolation",
  piano: "Piano with chords, plain model", "piano+rl": "Piano with chords, tuned on the paper’s rules",
};

/** Titles of styles. */
const STYLES = { oneill: "O’Neill’s Irish dances", chorales: "Chorales", aird: "Aird’s airs", ryan: "Ryan’s fiddle tunes", quartets: "String quartets" };

/** The title of a model. */
export function modelTitle(name) {
  const model = modelNamed(name);
  return TITLES[name] ?? (model?.made_here ? `${model.title} (tuned here)` : model?.title ?? name);
}

/** The name of a key as it is printed. */
export const keyTitle = (key) => (key ?? "").replace("#", "♯").replace(/([A-G])b /, "$1♭ ");

/** Set up the fields. */
export function initSettings() {
  initNumberFields(NUMBERS.filter((name) => name !== "temperature"), { mayBeEmpty: ["tempo", "top_k"], set: setNumber });
  byId("temperature").addEventListener("input", (event) => setNumber("temperature", Number(event.target.value)));
  for (const name of TEXTS) byId(name).addEventListener("input", (event) => updateSettings({ [name]: event.target.value, ...(name === "set" ? { rules: {}, only: [] } : {}) }));
  for (const name of CHECKS) byId(name).addEventListener("change", (event) => updateSettings({ [name]: event.target.checked }));
  byId("model").addEventListener("input", (event) => {
    const untuned = modelNamed(event.target.value)?.untuned ?? "";
    updateSettings({ model: event.target.value, compare: state.settings.compare ? untuned : "", style: "" });
  });
  byId("compare").addEventListener("change", (event) => updateSettings({ compare: event.target.checked ? modelNamed(state.settings.model)?.untuned ?? "" : "" }));
  for (const name of ["bars", "count", "tempo", "seed", "top_k", "top_p"]) byId(name).addEventListener("change", () => show());
  fillOptions("key", [["", "Auto"], ...KEYS.map((key) => [key, keyTitle(key)])]);
  fillOptions("meter", [["", "Auto"], ...METERS.map((meter) => [meter, meter])]);
  on("settings models sets", show);
}

function setNumber(name, value) {
  if (name === "seed") byId("lock-seed").checked = true;  // who types a seed wants it
  updateSettings({ [name]: name === "top_k" && value === "" ? 0 : value });
}

/** Set the options of a field. */
function fillOptions(id, options) {
  const text = JSON.stringify(options);
  const field = byId(id);
  if (field.dataset.options === text) return;
  field.dataset.options = text;
  field.replaceChildren(...options.map(([value, label]) => make("option", { value }, label)));
}

function show(changes = {}) {
  const { settings, models, sets } = state;
  fillOptions("model", models.map((model) => [model.name, modelTitle(model.name)]));
  const model = modelNamed(settings.model);
  fillOptions("style", [["", "Any"], ...(model?.styles ?? []).map((style) => [style.name, STYLES[style.name] ?? style.name])]);
  fillOptions("constrain", [["", "No rule"], ...sets.flatMap((one) => one.rules.filter((rule) => one.name === "rl-tuner" && ["key", "repetition", "leap"].includes(rule.name)).map((rule) => [`${one.name}:${rule.name}`, ruleTitle(rule.name)]))]);
  fillOptions("set", sets.map((one) => [one.name, { cantilena: "Cantilena (the full set)", "rl-tuner": "RL Tuner, 2017 (nine rules)", paper: "The paper (three rules)" }[one.name] ?? one.name]));
  byId("model-info").textContent = model ? `${model.says}.`.replace("..", ".") : "";
  byId("model-delete").hidden = !model?.made_here;
  for (const name of TEXTS) setField(name, settings[name]);
  for (const name of NUMBERS.filter((one) => one in changes && one !== "temperature")) setFieldError(name, "");
  for (const name of NUMBERS) if (!isWrong(name)) setField(name, name === "top_k" && !settings.top_k ? "" : settings[name]);
  for (const name of CHECKS) byId(name).checked = settings[name];
  setField("model", settings.model);
  byId("compare").checked = Boolean(settings.compare);
  byId("compare").disabled = !model?.untuned;
  byId("compare").parentElement.hidden = !model?.untuned;
  byId("temperature-value").textContent = temperatureText(settings.temperature);
  byId("temperature").setAttribute("aria-valuetext", temperatureText(settings.temperature));
}

function setField(id, value) {
  const field = byId(id);
  if (field === document.activeElement && field.type === "number") return;
  // A link may name a value that is not in the list, such as another key.
  if (field.tagName === "SELECT" && value && ![...field.options].some((option) => option.value === value)) field.append(make("option", { value }, value));
  if (field.value !== String(value)) field.value = String(value);
}

function temperatureText(temperature) {
  const text = temperature < 0.6 ? "very cautious" : temperature < 0.9 ? "cautious" : temperature <= 1.1 ? "as it learned" : temperature <= 1.4 ? "daring" : "wild";
  return `${text} (${temperature})`;
}

/** The title of a rule. */
export function ruleTitle(name) {
  const title = name.replace(/_(\d+)$/, ", $1 bars").replaceAll("_", " ");
  return title[0].toUpperCase() + title.slice(1);
}
