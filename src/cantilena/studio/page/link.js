// The state of the page in its address, so that a link restores it.

import { packed, readTyped, unpacked } from "/page/music/music.js";
import { DEFAULTS, modelNamed, shown, state } from "/page/state.js";

const TEXTS = ["model", "compare", "primer", "key", "meter", "range", "style", "constrain", "set"];
const NUMBERS = { bars: [1, 64], temperature: [0.05, 10], top_k: [0, 200], top_p: [0.01, 1], seed: [0, Number.MAX_SAFE_INTEGER], count: [1, 16] };
const COLOURS = ["none", "rules", "probability"], BESIDE = ["show", "notes", "melody", "colour", "rule", "tab"];

/** Settings as the part of an address after `#`; what is as usual is left out, but the seed and the model. */
export function written(settings, more = {}) {
  const parts = new URLSearchParams();
  for (const name of TEXTS) if (settings[name] !== DEFAULTS[name]) parts.set(name, settings[name]);
  for (const name of Object.keys(NUMBERS)) {
    if (name === "seed" || settings[name] !== DEFAULTS[name]) parts.set(name, settings[name]);
  }
  if (settings.tempo !== "") parts.set("tempo", settings.tempo);
  if (settings.greedy) parts.set("greedy", "1");
  if (!settings.with_primer) parts.set("with_primer", "0");
  if (settings.idea) parts.set("idea", packed(settings.idea));
  const rules = Object.entries(settings.rules).map(([name, weight]) => `${name}:${weight}`);
  if (rules.length) parts.set("rules", rules.join(","));
  if (settings.only.length) parts.set("only", settings.only.join(","));
  for (const [name, value] of Object.entries(more)) if (value) parts.set(name, value);
  return `#${parts}`;
}

/** Settings and the rest from such a part; what cannot be is left as usual. */
export function read(hash) {
  const parts = new URLSearchParams(hash.replace(/^#/, ""));
  const settings = { ...DEFAULTS, rules: {}, only: [] };
  for (const name of TEXTS) if (parts.has(name)) settings[name] = parts.get(name).slice(0, 20000);
  for (const [name, [low, high]] of Object.entries(NUMBERS)) {
    const value = Number(parts.get(name));
    if (parts.has(name) && parts.get(name) !== "" && value >= low && value <= high) settings[name] = value;
  }
  const tempo = Number(parts.get("tempo"));
  if (tempo >= 10 && tempo <= 1000) settings.tempo = tempo;
  settings.greedy = parts.get("greedy") === "1";
  settings.with_primer = parts.get("with_primer") !== "0";
  settings.idea = parts.has("idea") ? unpacked(parts.get("idea")) : null;
  for (const pair of (parts.get("rules") ?? "").split(",").filter(Boolean)) {
    const [name, weight] = pair.split(":");
    if (Number.isFinite(Number(weight))) settings.rules[name] = Number(weight);
  }
  settings.only = (parts.get("only") ?? "").split(",").filter(Boolean);
  if (parts.has("range")) settings.range = parts.get("range");
  return {
    settings,
    given: new Set(parts.keys()),
    notes: parts.has("notes") ? unpacked(parts.get("notes")) : typed(parts.get("melody"), settings),
    show: Number(parts.get("show")) || 0,
    play: parts.get("play") === "1",
    colour: COLOURS.includes(parts.get("colour")) ? parts.get("colour") : "none",
    rule: parts.get("rule") ?? "",
    tab: parts.get("tab") ?? "",
  };
}

// A melody that is to be looked at, not gone on from: `melody=C4+D4+E4/2`, in the key, meter and tempo of the link.
function typed(text, { key, meter, tempo }) {
  try {
    const melody = text ? readTyped(text) : null;
    return melody?.notes.length ? { ...melody, key: key || null, meter: meter || melody.meter, tempo: tempo || melody.tempo } : null;
  } catch {
    return null;
  }
}

/** What the address holds beside the settings, so that it stays there when they change. */
export function carried() {
  const parts = new URLSearchParams(location.hash.slice(1));
  return Object.fromEntries(BESIDE.map((name) => [name, parts.get(name)]));
}

/** The address that restores what is shown now. */
export function address({ play = false } = {}) {
  const candidate = shown();
  const base = `${location.origin}${location.pathname}`;
  const seen = state.colour === "none" ? {} : { colour: state.colour, rule: state.rule };
  if (!candidate) return base + written(state.settings);
  const settings = candidate.settings ?? state.settings;
  const isOfSeed = candidate.number && !candidate.rewritten && !candidate.foreign;
  const more = isOfSeed ? { show: candidate.number } : { notes: packed(candidate.melody) };
  return base + written({ ...settings, model: modelNamed(candidate.model) ? candidate.model : settings.model, ...rulesNow(), compare: isOfSeed ? settings.compare : "" }, { ...more, ...seen, play: play ? "1" : "" });
}

const rulesNow = () => ({ set: state.settings.set, rules: state.settings.rules, only: state.settings.only });
