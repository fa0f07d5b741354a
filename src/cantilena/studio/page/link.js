// The state of the page in its URL, so that a link restores it.

import { formOf, formText, hasSections, ownBars, parseForm } from "/page/music/forms.js";
import { encodeMelody, parseNotes, decodeMelody } from "/page/music/music.js";
import { DEFAULTS, modelNamed, currentCandidate, state } from "/page/state.js";

const TEXTS = ["model", "compare", "primer", "key", "meter", "range", "style", "constrain", "set", "form", "ending", "chords"];
const ENDINGS = ["auto", "full", "half", "open"], WHOLE = ["bars", "top_k", "seed", "count"];
const NUMBERS = { bars: [1, 200], temperature: [0.05, 10], top_k: [0, 200], top_p: [0.01, 1], seed: [0, Number.MAX_SAFE_INTEGER], count: [1, 16] };
const COLOURS = ["none", "rules", "probability", "chords"], EXTRA = ["show", "notes", "melody", "colour", "rule", "tab"];

/** Return settings as a URL fragment; defaults are left out, except the seed. */
export function toHash(settings, more = {}) {
  const parts = new URLSearchParams();
  for (const name of TEXTS) if (settings[name] !== DEFAULTS[name]) parts.set(name, settings[name]);
  for (const name of Object.keys(NUMBERS)) {
    if (name === "seed" || settings[name] !== DEFAULTS[name]) parts.set(name, settings[name]);
  }
  if (settings.tempo !== "") parts.set("tempo", settings.tempo);
  if (settings.greedy) parts.set("greedy", "1");
  if (!settings.with_primer) parts.set("with_primer", "0");
  if (settings.idea) parts.set("idea", encodeMelody(settings.idea));
  const rules = Object.entries(settings.rules).map(([name, weight]) => `${name}:${weight}`);
  if (rules.length) parts.set("rules", rules.join(","));
  if (settings.cadences.some(Boolean)) parts.set("cadences", settings.cadences.join(","));
  if (settings.only.length) parts.set("only", settings.only.join(","));
  for (const [name, value] of Object.entries(more)) if (value) parts.set(name, value);
  return `#${parts}`;
}

/** Read settings and the rest from a URL fragment; invalid values are replaced by defaults, `wrong` has such numbers. */
export function fromHash(hash) {
  const parts = new URLSearchParams(hash.replace(/^#/, ""));
  const settings = { ...DEFAULTS, rules: {}, only: [] }, wrong = {};
  for (const name of TEXTS) if (parts.has(name)) settings[name] = parts.get(name).slice(0, 20000);
  for (const [name, [low, high]] of Object.entries(NUMBERS)) {
    const value = Number(parts.get(name));
    if (parts.has(name) && parts.get(name) !== "" && value >= low && value <= high && (!WHOLE.includes(name) || Number.isInteger(value))) settings[name] = value;
    else if (parts.has(name)) wrong[name] = parts.get(name).slice(0, 20);
  }
  readForm(settings, parts);
  const tempo = Number(parts.get("tempo"));
  if (tempo >= 10 && tempo <= 1000) settings.tempo = tempo;
  settings.greedy = parts.get("greedy") === "1";
  settings.with_primer = parts.get("with_primer") !== "0";
  settings.idea = parts.has("idea") ? decodeMelody(parts.get("idea")) : null;
  for (const pair of (parts.get("rules") ?? "").split(",").filter(Boolean)) {
    const [name, weight] = pair.split(":");
    if (Number.isFinite(Number(weight))) settings.rules[name] = Number(weight);
  }
  settings.only = (parts.get("only") ?? "").split(",").filter(Boolean);
  if (parts.has("range")) settings.range = parts.get("range");
  return {
    settings,
    wrong,
    given: new Set(parts.keys()),
    notes: parts.has("notes") ? decodeMelody(parts.get("notes")) : melodyParameter(parts.get("melody"), settings),
    show: Number(parts.get("show")) || 0,
    play: parts.get("play") === "1",
    colour: COLOURS.includes(parts.get("colour")) ? parts.get("colour") : "none",
    rule: parts.get("rule") ?? "",
    tab: parts.get("tab") ?? "",
  };
}

// The form of a link, which sets the bars if the link does not.
function readForm(settings, parts) {
  if (!ENDINGS.includes(settings.ending)) settings.ending = "auto";
  if (!hasSections(settings.form)) return;
  try {
    const sections = parseForm(settings.form), bars = ownBars(sections);
    settings.form = formText(sections);
    settings.cadences = (parts.get("cadences") ?? "").split(",").slice(0, sections.length).map((one) => (ENDINGS.slice(1).includes(one) ? one : ""));
    if (bars && bars <= NUMBERS.bars[1] && !parts.has("bars")) settings.bars = bars;
  } catch {
    settings.form = DEFAULTS.form;
  }
}

// A melody to show, not to continue: `melody=C4+D4+E4/2`, in the key, meter and tempo of the link.
function melodyParameter(text, { key, meter, tempo }) {
  try {
    const melody = text ? parseNotes(text) : null;
    return melody?.notes.length ? { ...melody, key: key || null, meter: meter || melody.meter, tempo: tempo || melody.tempo } : null;
  } catch {
    return null;
  }
}

/** The parameters of the URL that are not settings; they stay when the settings change. */
export function extraParameters() {
  const parts = new URLSearchParams(location.hash.slice(1));
  return Object.fromEntries(EXTRA.map((name) => [name, parts.get(name)]));
}

/** The URL that restores what is shown now. */
export function shareUrl({ play = false } = {}) {
  const candidate = currentCandidate();
  const base = `${location.origin}${location.pathname}`;
  const colours = state.colour === "none" ? {} : { colour: state.colour, rule: state.rule };
  if (!candidate) return base + toHash(state.settings);
  const settings = candidate.settings ?? state.settings;
  const isOfSeed = candidate.number && !candidate.rewritten && !candidate.foreign && !candidate.isEdited;
  const form = isOfSeed ? null : formOf(candidate);
  const more = isOfSeed ? { show: candidate.number } : { notes: encodeMelody(candidate.melody) };
  return base + toHash({ ...settings, model: modelNamed(candidate.model) ? candidate.model : settings.model, ...rulesNow(), ...(form ?? {}), compare: isOfSeed ? settings.compare : "" }, { ...more, ...colours, play: play ? "1" : "" });
}

const rulesNow = () => ({ set: state.settings.set, rules: state.settings.rules, only: state.settings.only });
