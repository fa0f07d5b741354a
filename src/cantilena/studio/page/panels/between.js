// Interpolate between two melodies with a slider, and vary the current melody with another.

import { isAborted, latestOnly } from "/page/api.js";
import { remember } from "/page/editing/undo.js";
import { byId, showError, announce } from "/page/elements.js";
import { stop } from "/page/music/player.js";
import { keyTitle } from "/page/settings.js";
import { newCandidate, showCandidate, modelNamed, on, rulesBody, currentCandidate, state, emit } from "/page/state.js";

const STEPS = 9;
// `way` is the label of a candidate; the history stores it under this name.
const ends = { first: null, last: null };
const requestLatest = latestOnly();
let interpolation = null;

/** Set up the panel. */
export function initBetween() {
  for (const end of ["first", "last"]) byId(`between-${end}`).addEventListener("click", () => setEnd(end));
  byId("between-position").addEventListener("input", () => { showPosition(); goToPosition(); });
  byId("between-amount").addEventListener("input", showAmount);
  byId("between-vary").addEventListener("click", vary);
  on("shown columns busy models", enable);
  showPosition();
  showAmount();
}

// The selected model if it is a VAE, else the first one.
const model = () => (modelNamed(state.settings.model)?.has_codes ? state.settings.model : state.models.find((candidate) => candidate.has_codes)?.name);

function enable() {
  const isReady = Boolean(currentCandidate()) && !state.busy && Boolean(model());
  for (const id of ["between-first", "between-last", "between-vary"]) byId(id).disabled = !isReady;
}

function setEnd(end) {
  const { melody } = currentCandidate();
  ends[end] = melody;
  byId(`between-${end}-info`).textContent = [keyTitle(melody.key), melody.meter, `${melody.notes.length} notes`].filter(Boolean).join(", ");
  if (ends.first && ends.last) interpolate();
  else announce(end === "first" ? "Now choose the last melody." : "Now choose the first melody.");
}

async function interpolate() {
  const candidates = await generate("/api/interpolate", { model: model(), first: ends.first, last: ends.last, steps: STEPS, rules: rulesBody() });
  if (!candidates) return;
  interpolation = openColumn("Between two melodies", candidates.map((candidate, at) => ({ ...candidate, way: at === 0 ? "The first melody" : at === STEPS - 1 ? "The last melody" : `Step ${at} of ${STEPS - 1}` })));
  byId("between-position").disabled = false;
  show(interpolation, Number(byId("between-position").value));
  remember("Interpolate");
  announce("Ready: move the slider.");
}

function goToPosition() {
  if (!interpolation) return;
  stop();
  if (!state.columns.includes(interpolation)) setColumn(interpolation);
  show(interpolation, Number(byId("between-position").value));
}

async function vary() {
  const amount = Number(byId("between-amount").value), seed = Math.floor(Math.random() * 2 ** 31), { melody } = currentCandidate();
  const candidates = await generate("/api/vary", { model: model(), melody, amount, count: state.settings.count, seed, rules: rulesBody() });
  if (!candidates) return;
  show(openColumn("Variations", candidates.map((candidate) => ({ ...candidate, way: `Varied by ${percent(amount)}, ${candidate.number}` }))), 0);
  remember("Vary");
  announce(`${candidates.length} variations.`);
}

// A newer request aborts an older one.
async function generate(path, body) {
  showError("between-error");
  try {
    const { candidates } = await requestLatest(path, { body });
    return candidates;
  } catch (error) {
    if (!isAborted(error)) showError("between-error", error);
    return null;
  }
}

function openColumn(title, candidates) {
  const settings = { ...state.settings };
  const column = { title, model: model(), note: "", settings, tick: 0, selection: null, chosen: null, candidates: candidates.map((candidate) => newCandidate(candidate, { foreign: true, settings })) };
  setColumn(column);
  return column;
}

function setColumn(column) {
  stop();
  state.columns = [column];
  state.active = 0;
  state.composed = true;
  emit("columns");
}

function show(column, place) {
  const candidate = column.candidates.find(({ number }) => number === place + 1);
  if (candidate) showCandidate(column, candidate);
}

const percent = (share) => `${Math.round(100 * share)} %`;

function showPosition() {
  const share = Number(byId("between-position").value) / (STEPS - 1);
  const text = share === 0 ? "the first melody" : share === 1 ? "the last melody" : percent(share);
  byId("between-position-value").textContent = text;
  byId("between-position").setAttribute("aria-valuetext", text);
}

function showAmount() {
  const amount = Number(byId("between-amount").value);
  const text = amount === 0 ? "not at all" : amount === 1 ? "completely: a new melody" : percent(amount);
  byId("between-amount-value").textContent = text;
  byId("between-amount").setAttribute("aria-valuetext", text);
}
