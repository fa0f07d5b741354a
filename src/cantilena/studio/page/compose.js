// Compose from the settings into columns of candidates, and rewrite bars of a candidate around what is locked.

import { streamCandidates, isAborted } from "/page/api.js";
import { colourBy } from "/page/music/colours.js";
import { locksBody } from "/page/editing/edits.js";
import { remember } from "/page/editing/undo.js";
import { byId, showError, announce } from "/page/elements.js";
import { focusWrongField, showMessage } from "/page/fields.js";
import { noteProbabilities } from "/page/panels/predictions.js";
import { addToHistory } from "/page/panels/history.js";
import { toHash } from "/page/link.js";
import { formOf, hasSections, sectionsOf } from "/page/music/forms.js";
import { barsOf, meterTicks, melodyText, melodyUntil } from "/page/music/music.js";
import { play, autoplay, preload, stop } from "/page/music/player.js";
import { checkPrimer, primerMelody } from "/page/music/primer.js";
import { modelTitle, ruleTitle } from "/page/settings.js";
import { activeColumn, drawSeed, newCandidate, selectBars, showCandidate, modelNamed, ranked, rulesBody, updateSettings, shownCandidate, state, emit } from "/page/state.js";

let controller = null, startedAt = 0;

const MORE_BARS = 8, DRAWN_BARS = 512;

/** The body of a request for composing; forms and chords are sent to models that have learned them. */
function composeBody(settings, model, more = {}) {
  const { primer, idea, key, meter, tempo, range, style, temperature, top_k, top_p, greedy, constrain, seed, count, with_primer } = settings;
  const styles = modelNamed(model)?.styles.map(({ name }) => name) ?? [];
  return {
    model, ...lengthBody(settings), ...formBody(settings, modelNamed(model)), key, meter, tempo: tempo === "" ? null : tempo, range: range.trim(), style: styles.includes(style) ? style : "", temperature, top_k, top_p, greedy,
    constrain, seed, count, with_primer, rules: rulesBody(), ...(idea ? { idea } : { primer }), ...more,
  };
}

// One request composes so many bars, all melodies together.
function fitCount() {
  const { bars, count } = state.settings, most = Math.floor(DRAWN_BARS / bars);
  if (count <= most) return;
  updateSettings({ count: most });
  showMessage("count", `With ${bars} bars, up to ${most} at once.`);
}

// The bars are those of the melody: without its opening they are all new.
function lengthBody({ bars, with_primer, form }) {
  return with_primer || hasSections(form) ? { total_bars: bars } : { bars };
}

function formBody({ form, cadences, ending, chords }, model) {
  const sections = hasSections(form) && cadences.some(Boolean) ? { cadences: cadences.map((one) => one || null) } : {};
  return {
    ...(model?.has_forms ? { form, ...(form === "auto" ? { ending } : {}), ...sections } : {}),
    ...(model?.follows_chords && chords.trim() ? { chords } : {}),
  };
}

// What a model leaves out of what the settings ask for, because it has not learned it.
function unlearned({ form, ending, chords }, model) {
  const asksForm = form !== "auto" || ending !== "auto";
  const parts = [asksForm && model && !model.has_forms ? "form" : "", chords.trim() && model && !model.follows_chords ? "chords" : ""].filter(Boolean);
  return parts.length ? `without the ${parts.join(" and ")}, which this model has not learned` : "";
}

/** Handle the button: compose, or stop composing. */
export function pressCompose() {
  if (state.busy) {
    if (performance.now() - startedAt > 500) controller?.abort();
    return;
  }
  if (focusWrongField()) return;
  if (!byId("lock-seed").checked) updateSettings({ seed: drawSeed() });
  compose();
}

/** Compose with the settings; `show` is the number of the candidate to show, `push` adds a browser history entry. */
export async function compose({ show: number = 0, push = true, autoPlay = false } = {}) {
  if (!checkPrimer()) {
    byId("primer").focus();
    return;
  }
  if (focusWrongField()) return;
  fitCount();
  const settings = { ...state.settings };
  const names = [settings.compare, settings.model].filter(Boolean);
  if (push) history.pushState(null, "", toHash(settings));
  const columns = names.map((name) => ({ title: modelTitle(name), model: name, note: unlearned(settings, modelNamed(name)), settings }));
  await fillColumns(columns, settings, (column, onNotes, signal) => streamCandidates("/api/compose", composeBody(settings, column.model), { onNotes, signal }));
  if (!state.columns.length || state.columns[0].settings !== settings) return;
  const isCompared = columns.length > 1;
  for (const column of state.columns) {
    const requested = column.candidates.find((candidate) => candidate.number === (number || (isCompared ? 1 : 0)));
    showCandidate(column, requested ?? ranked(column)[0]);
  }
  state.active = state.columns.length - 1;
  addToHistory(activeColumn(), settings, { isRestored: !push });
  emit("active");
  remember("Compose");
  const [first] = state.columns[0].candidates;
  if (first) announce(`${settings.bars} bars composed${isCompared ? " by both models" : settings.count > 1 ? `, ${settings.count} melodies` : ""}.`);
  if (autoPlay) autoplay(activeColumn());
}

// Only one thing is composed at a time: abort the previous one.
function start() {
  stop();
  controller?.abort();
  controller = new AbortController();
  [state.busy, startedAt] = [true, performance.now()];
  showError("compose-error");
  emit("busy");
  return controller;
}

function finish(own) {
  if (controller === own) state.busy = false;
  emit("busy");
}

// Generate all columns at once; show notes while they arrive, and the candidates at the end.
async function fillColumns(columns, settings, generate) {
  const own = start();
  const before = { columns: state.columns, active: state.active };
  const expected = expectedLength(settings);
  for (const column of columns) Object.assign(column, { candidates: [], chosen: null, tick: 0, selection: null, live: new Map(), expected });
  state.columns = columns;
  state.active = columns.length - 1;
  emit("columns");
  try {
    const found = await Promise.all(columns.map((column) => generate(column, (notes) => addNotes(column, notes, settings), own.signal)));
    columns.forEach((column, at) => {
      column.live = null;
      column.candidates = found[at].map((candidate) => newCandidate(candidate, { settings }));
      column.chosen = column.candidates[0]?.id ?? null;
    });
    state.composed = true;
  } catch (error) {
    if (controller === own || !isAborted(error)) Object.assign(state, before);
    if (!isAborted(error)) showError("compose-error", error);
    else if (controller === own) announce("Stopped.");
    own.abort();
    emit("columns");
  } finally {
    finish(own);
  }
  if (state.columns === columns) {
    emit("columns");
    const melody = shownCandidate(columns.at(-1))?.melody;
    if (melody) preload(melody).catch(() => {});
  }
}

// Add new notes to a candidate that is still being composed.
function addNotes(column, { number, notes, length, pickup }, settings) {
  if (!column.live) return;
  const idea = primerOrNull();
  const live = column.live.get(number) ?? { melody: { notes: [], key: settings.key || idea?.key || "C major", meter: settings.meter || idea?.meter || "4/4", tempo: 120, pickup, length: 0, title: "" }, primer_notes: 0, number };
  live.melody = { ...live.melody, notes: [...live.melody.notes, ...notes], length: Math.max(length, live.melody.length) };
  column.live.set(number, live);
  emit("live", column, number);
}

const primerOrNull = () => {
  try { return primerMelody(); } catch { return null; }
};

function expectedLength(settings) {
  const idea = primerOrNull();
  return settings.bars * meterTicks(settings.meter || idea?.meter || "4/4").bar;
}

/** Continue from the cursor of a column, or from the end if the cursor is at the start. */
export function continueFrom(column) {
  const candidate = shownCandidate(column);
  if (!candidate || state.busy) return;
  const { melody } = candidate;
  const idea = melodyUntil(melody, column.tick || melody.length);
  if (!idea.notes.length) return;
  const text = melody.pickup || idea.notes.length > 64 ? "" : melodyText(idea);
  const { settings } = state, before = barsOf(idea).length, bars = settings.bars > before ? settings.bars : Math.min(before + MORE_BARS, 200);
  updateSettings({
    ...(bars === settings.bars ? {} : { bars, form: "auto", cadences: [] }),
    ...(text ? { primer: text, idea: null } : { idea: { ...idea, title: "The melody so far" } }),
    key: melody.key ?? "", meter: melody.meter, tempo: melody.tempo === 120 ? "" : melody.tempo, with_primer: true, model: candidate.model, compare: "",
  });
  pressCompose();
}

/** Rewrite all that is not locked: in the selected bars, or in the whole melody. */
export function rewriteRest(column) {
  const bars = barsOf(shownCandidate(column)?.melody ?? { meter: "4/4", pickup: 0, length: 0 });
  return rewrite(column, column.selection ?? { first: bars[0].number, last: bars.at(-1).number });
}

/** Rewrite bars of a column, those that are selected by default, around what is locked. */
export async function rewrite(column, selection = column.selection) {
  if (!selection) return;
  const { first, last } = selection, locks = locksBody(shownCandidate(column)?.locks);
  await rewriteWith(column, "/api/rewrite", { first, last, locks, count: Math.max(state.settings.count, 2) }, selection, `${first === last ? `Bar ${first}` : `Bars ${first} to ${last}`} rewritten.`);
}

/** Rewrite a section of the melody that a column shows, by its number from 1, and all its returns. */
export async function rewriteSection(column, section) {
  const { form, cadences } = formOf(shownCandidate(column)) ?? {}, sections = sectionsOf(shownCandidate(column));
  if (!form) return;
  const { label } = sections[section - 1], [{ first, last }] = sections.filter((one) => one.label === label);
  await rewriteWith(column, "/api/rewrite-section", { form, cadences, section, count: 2 }, { first, last, section: label }, `Section ${label} rewritten with its returns.`);
}

// Each melody is added as soon as it is complete.
async function rewriteWith(column, path, body, selection, done) {
  const candidate = shownCandidate(column), { selection: selected } = column;
  if (!candidate || state.busy) return;
  const own = start();
  const { settings } = state, seed = drawSeed(), rewritten = [], form = formOf(candidate);
  const onCandidate = (sent) => {
    rewritten.push(newCandidate(sent, { rewritten: selection, form, locks: locksIn(sent.melody, candidate), settings: candidate.settings ?? { ...settings } }));
    column.candidates = [rewritten.at(-1), ...column.candidates].slice(0, 32);
    emit("verdicts");
  };
  try {
    await streamCandidates(path, { model: candidate.model, melody: candidate.melody, temperature: settings.temperature, range: settings.range.trim(), seed, rules: rulesBody(), ...body }, { signal: own.signal, onCandidate });
    const best = ranked({ candidates: rewritten })[0];
    showCandidate(column, best ?? candidate);
    column.tick = startOf(best ?? candidate, selection.first);
    emit("tick", column);
    selectBars(column, selected);  // for another try
    remember(done.replace(/\.$/, ""));
    addToHistory(column, best?.settings ?? settings);
    announce(done);
  } catch (error) {
    if (isAborted(error)) announce("Stopped.");
    else showError("compose-error", error);
  } finally {
    finish(own);
  }
}

// Locked notes keep their onsets, so that they are found in a rewritten melody.
function locksIn(melody, { melody: before, locks }) {
  if (!locks) return null;
  const kinds = new Map(before.notes.map((note, number) => [note.onset, locks[number]]));
  return melody.notes.map((note) => kinds.get(note.onset) ?? "");
}

function startOf(candidate, bar) {
  const { melody } = candidate, whole = meterTicks(melody.meter).bar;
  return Math.max(0, (bar - 1) * whole + (melody.pickup % whole));
}

/** Show the effect of one rule: the first of many melodies, and the one that this rule rates best. */
export async function compareRule(rule) {
  if (state.busy || !checkPrimer()) return;
  const { settings } = state;
  const model = modelNamed(settings.model)?.untuned ?? settings.model, count = Math.min(16, Math.floor(DRAWN_BARS / settings.bars));
  const rules = { set: settings.set, weights: { [rule]: 1 }, only: [rule] };
  const candidates = streamCandidates("/api/compose", composeBody(settings, model, { count, rules }));
  candidates.catch(() => {});
  const columns = [
    { title: "Before", model, note: `the first melody by ${modelTitle(model)}`, settings },
    { title: "After", model, note: `the best of ${count} by the rule “${ruleTitle(rule)}” alone`, settings },
  ];
  await fillColumns(columns, settings, async (column) => {
    const found = await candidates;
    const best = found.reduce((a, b) => ((b.verdict?.total ?? -Infinity) > (a.verdict?.total ?? -Infinity) ? b : a), found[0]);
    return [column === columns[0] ? found[0] : best].map((one) => ({ ...one, settings }));
  });
  if (state.columns !== columns) return;
  colourBy("rules", rule);
  for (const column of columns) showCandidate(column, column.candidates[0]);
  playInTurn();
}

/** Play the columns one after the other. */
export async function playInTurn() {
  for (const column of state.columns) {
    column.tick = 0;
    state.active = state.columns.indexOf(column);
    emit("active");
    if (!(await play(column, { expressive: byId("expressive").checked, once: true }).catch(() => false))) return;
  }
}

/** Judge all candidates by the current rules. */
export async function judgeAll(requestLatest) {
  const all = state.columns.flatMap((column) => column.candidates).slice(0, 32);
  if (!all.length) return;
  const { verdicts } = await requestLatest("/api/judge", { body: { melodies: all.map((one) => ({ ...one.melody, title: "" })), rules: rulesBody() } });
  all.forEach((one, at) => { one.verdict = verdicts[at]; });
  emit("verdicts");
}

/** Open a melody of a link or of the history. */
export function openMelody(melody, { title = "A melody", model = state.settings.model, candidate = null } = {}) {
  stop();
  const settings = { ...state.settings };
  const one = newCandidate({ melody, primer_notes: 0, model, seed: 0, number: 0, probabilities: [], verdict: null, foreign: true, settings, ...candidate });
  state.columns = [{ title, model, note: "", settings, candidates: [one], chosen: one.id, tick: 0, selection: null }];
  state.active = 0;
  emit("columns");
  showCandidate(state.columns[0], one);
  emit("opened");
  remember("Open a melody");
  if (!one.probabilities.length && modelNamed(model)) {
    noteProbabilities(one).then((probabilities) => { one.probabilities = probabilities; emit("verdicts"); }, () => {});
  }
  return one;
}

