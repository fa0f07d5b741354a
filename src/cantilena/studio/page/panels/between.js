// Going between two melodies by a slider, and varying the one that is shown by another.

import { isDropped, latest } from "/page/api.js";
import { byId, complain, say } from "/page/elements.js";
import { stop } from "/page/music/player.js";
import { keyTitle } from "/page/settings.js";
import { candidateOf, choose, modelNamed, on, rulesAsked, shown, state, tell } from "/page/state.js";

const STEPS = 9;
const ends = { first: null, last: null };
const asker = latest();
let way = null;

/** Listen to the panel. */
export function listenToBetween() {
  for (const end of ["first", "last"]) byId(`between-${end}`).addEventListener("click", () => take(end));
  byId("between-way").addEventListener("input", () => { tellWay(); walk(); });
  byId("between-amount").addEventListener("input", tellAmount);
  byId("between-vary").addEventListener("click", vary);
  on("shown columns busy models", enable);
  tellWay();
  tellAmount();
}

// The model that was chosen if it has codes, else the first that has.
const model = () => (modelNamed(state.settings.model)?.has_codes ? state.settings.model : state.models.find((one) => one.has_codes)?.name);

function enable() {
  const isReady = Boolean(shown()) && !state.busy && Boolean(model());
  for (const id of ["between-first", "between-last", "between-vary"]) byId(id).disabled = !isReady;
}

function take(end) {
  const { melody } = shown();
  ends[end] = melody;
  byId(`between-${end}-says`).textContent = [keyTitle(melody.key), melody.meter, `${melody.notes.length} notes`].filter(Boolean).join(", ");
  if (ends.first && ends.last) between();
  else say(end === "first" ? "Now choose the melody to go to." : "Now choose the melody to come from.");
}

async function between() {
  const found = await sent("/api/interpolate", { model: model(), first: ends.first, last: ends.last, steps: STEPS, rules: rulesAsked() });
  if (!found) return;
  way = column("Between two melodies", found.map((one, at) => ({ ...one, way: at === 0 ? "The first melody" : at === STEPS - 1 ? "The last melody" : `Step ${at} of ${STEPS - 1}` })));
  byId("between-way").disabled = false;
  show(way, Number(byId("between-way").value));
  say("The way is there: move the slider.");
}

function walk() {
  if (!way) return;
  stop();
  if (!state.columns.includes(way)) open(way);
  show(way, Number(byId("between-way").value));
}

async function vary() {
  const amount = Number(byId("between-amount").value), seed = Math.floor(Math.random() * 2 ** 31), { melody } = shown();
  const found = await sent("/api/vary", { model: model(), melody, amount, count: state.settings.count, seed, rules: rulesAsked() });
  if (!found) return;
  const varied = column("Variations", found.map((one) => ({ ...one, way: `Varied by ${percent(amount)}, ${one.number}` })));
  show(varied, 0);
  say(`${found.length} variations.`);
}

// One question at a time: an older one is dropped.
async function sent(path, body) {
  complain("between-error");
  try {
    const { candidates } = await asker(path, { body });
    return candidates;
  } catch (error) {
    if (!isDropped(error)) complain("between-error", error);
    return null;
  }
}

function column(title, candidates) {
  const settings = { ...state.settings };
  const made = { title, model: model(), note: "", settings, tick: 0, selection: null, chosen: null, candidates: candidates.map((one) => candidateOf(one, { foreign: true, settings })) };
  open(made);
  return made;
}

function open(made) {
  stop();
  state.columns = [made];
  state.active = 0;
  state.composed = true;
  tell("columns");
}

function show(made, place) {
  const numbered = made.candidates.find((one) => one.number === place + 1);
  if (numbered) choose(made, numbered);
}

const percent = (share) => `${Math.round(100 * share)} %`;

function tellWay() {
  const share = Number(byId("between-way").value) / (STEPS - 1);
  const text = share === 0 ? "the first melody" : share === 1 ? "the last melody" : percent(share);
  byId("between-way-says").textContent = text;
  byId("between-way").setAttribute("aria-valuetext", text);
}

function tellAmount() {
  const amount = Number(byId("between-amount").value);
  const text = amount === 0 ? "nothing" : amount === 1 ? "everything: a free draw" : percent(amount);
  byId("between-amount-says").textContent = text;
  byId("between-amount").setAttribute("aria-valuetext", text);
}
