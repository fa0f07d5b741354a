// The fields of the panel: what they offer, and what is set.

import { byId, make } from "/page/elements.js";
import { modelNamed, on, set, state } from "/page/state.js";

const KEYS = ["C major", "G major", "D major", "A major", "E major", "B major", "F major", "Bb major", "Eb major", "Ab major", "Db major", "A minor", "E minor", "B minor", "F# minor", "C# minor", "D minor", "G minor", "C minor", "F minor", "Bb minor", "D dorian", "E phrygian", "F lydian", "G mixolydian"];
const METERS = ["4/4", "3/4", "2/4", "6/8", "9/8", "12/8", "2/2", "3/8", "5/4"];
const NUMBERS = ["bars", "count", "tempo", "temperature", "top_k", "top_p", "seed"];
const TEXTS = ["key", "meter", "range", "style", "constrain", "set"];
const CHECKS = ["greedy", "with_primer"];

/** Plain names of the shipped models. */
const TITLES = {
  tunes: "Folk tunes, plain model", "tunes+rl": "Folk tunes, tuned on rules", "tunes+rl-tuner": "Folk tunes, tuned on the paper’s rules",
  classical: "Classical, plain model", "classical+rl": "Classical, tuned on rules",
  "tunes-vae": "Folk tunes, to go between melodies",
  piano: "Piano with chords, plain model", "piano+rl": "Piano with chords, tuned on the paper’s rules",
};

/** Plain names of styles. */
const STYLES = { oneill: "O’Neill’s Irish dances", chorales: "Chorales", aird: "Aird’s airs", ryan: "Ryan’s fiddle tunes", quartets: "String quartets" };

/** What to call a model. */
export function modelTitle(name) {
  const model = modelNamed(name);
  return TITLES[name] ?? (model?.made_here ? `${model.title} (tuned here)` : model?.title ?? name);
}

/** A key as people read it. */
export const keyTitle = (key) => (key ?? "").replace("#", "♯").replace(/([A-G])b /, "$1♭ ");

/** Listen to the fields. */
export function listenToSettings() {
  for (const name of NUMBERS) byId(name).addEventListener("input", (event) => setNumber(name, event.target));
  for (const name of TEXTS) byId(name).addEventListener("input", (event) => set({ [name]: event.target.value, ...(name === "set" ? { rules: {}, only: [] } : {}) }));
  for (const name of CHECKS) byId(name).addEventListener("change", (event) => set({ [name]: event.target.checked }));
  byId("model").addEventListener("input", (event) => {
    const untuned = modelNamed(event.target.value)?.untuned ?? "";
    set({ model: event.target.value, compare: state.settings.compare ? untuned : "", style: "" });
  });
  byId("compare").addEventListener("change", (event) => set({ compare: event.target.checked ? modelNamed(state.settings.model)?.untuned ?? "" : "" }));
  for (const name of ["bars", "count", "tempo", "seed", "top_k", "top_p"]) byId(name).addEventListener("change", show);
  offer("key", [["", "As the beginning"], ...KEYS.map((key) => [key, keyTitle(key)])]);
  offer("meter", [["", "As it is"], ...METERS.map((meter) => [meter, meter])]);
  on("settings models sets", show);
}

function setNumber(name, field) {
  const value = field.value === "" ? (name === "tempo" ? "" : name === "top_k" ? 0 : null) : Number(field.value);
  const fits = value === "" || (value !== null && value >= Number(field.min) && (field.max === "" || value <= Number(field.max)) && (field.step.includes(".") || Number.isInteger(value)));
  field.setAttribute("aria-invalid", String(!fits));
  if (fits) set({ [name]: value });
}

/** Fill a field with choices. */
function offer(id, choices) {
  const text = JSON.stringify(choices);
  const field = byId(id);
  if (field.dataset.offers === text) return;
  field.dataset.offers = text;
  field.replaceChildren(...choices.map(([value, label]) => make("option", { value }, label)));
}

function show() {
  const { settings, models, sets } = state;
  offer("model", models.map((model) => [model.name, modelTitle(model.name)]));
  const model = modelNamed(settings.model);
  offer("style", [["", "No one in particular"], ...(model?.styles ?? []).map((style) => [style.name, STYLES[style.name] ?? style.name])]);
  offer("constrain", [["", "No rule is absolute"], ...sets.flatMap((one) => one.rules.filter((rule) => one.name === "rl-tuner" && ["key", "repetition", "leap"].includes(rule.name)).map((rule) => [`${one.name}:${rule.name}`, plainName(rule.name)]))]);
  offer("set", sets.map((one) => [one.name, { cantilena: "Cantilena (the full set)", "rl-tuner": "RL Tuner, 2017 (nine rules)", paper: "The paper (three rules)" }[one.name] ?? one.name]));
  byId("model-says").textContent = model ? `${model.says}.`.replace("..", ".") : "";
  byId("model-delete").hidden = !model?.made_here;
  for (const name of TEXTS) put(name, settings[name]);
  for (const name of NUMBERS) put(name, name === "top_k" && !settings.top_k ? "" : settings[name]);
  for (const name of CHECKS) byId(name).checked = settings[name];
  put("model", settings.model);
  byId("compare").checked = Boolean(settings.compare);
  byId("compare").disabled = !model?.untuned;
  byId("compare").parentElement.hidden = !model?.untuned;
  byId("temperature-says").textContent = daring(settings.temperature);
  byId("temperature").setAttribute("aria-valuetext", daring(settings.temperature));
}

function put(id, value) {
  const field = byId(id);
  if (field === document.activeElement && field.type === "number") return;
  // A link may name what is not on the list, such as another key.
  if (field.tagName === "SELECT" && value && ![...field.options].some((option) => option.value === value)) field.append(make("option", { value }, value));
  if (field.value !== String(value)) field.value = String(value);
  field.removeAttribute("aria-invalid");
}

function daring(temperature) {
  const words = temperature < 0.6 ? "very cautious" : temperature < 0.9 ? "cautious" : temperature <= 1.1 ? "as it learned" : temperature <= 1.4 ? "daring" : "wild";
  return `${words} (${temperature})`;
}

/** A rule's name in plain words. */
export function plainName(name) {
  const words = name.replace(/_(\d+)$/, ", $1 bars").replaceAll("_", " ");
  return words[0].toUpperCase() + words.slice(1);
}
