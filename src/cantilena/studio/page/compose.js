// Composing: from the settings to columns of candidates, streamed; and composing bars of one anew.

import { composed, isDropped } from "/page/api.js";
import { colourBy } from "/page/music/colours.js";
import { byId, complain, say } from "/page/elements.js";
import { chancesIn } from "/page/panels/expected.js";
import { remember } from "/page/panels/history.js";
import { written } from "/page/link.js";
import { meterTicks, typedMelody, upTo } from "/page/music/music.js";
import { play, playUnasked, prepare, stop } from "/page/music/player.js";
import { checkPrimer, primerMelody } from "/page/music/primer.js";
import { modelTitle, plainName } from "/page/settings.js";
import { activeColumn, candidateOf, choose, modelNamed, ranked, rulesAsked, set, shownIn, state, tell } from "/page/state.js";

let controller = null, began = 0, lastSeed = null;

/** What the server is asked for. */
function request(settings, model, more = {}) {
  const { primer, idea, bars, key, meter, tempo, range, style, temperature, top_k, top_p, greedy, constrain, seed, count, with_primer } = settings;
  const styles = modelNamed(model)?.styles.map((one) => one.name) ?? [];
  return {
    model, bars, key, meter, tempo: tempo === "" ? null : tempo, range: range.trim(), style: styles.includes(style) ? style : "", temperature, top_k, top_p, greedy,
    constrain, seed, count, with_primer, rules: rulesAsked(), ...(idea ? { idea } : { primer }), ...more,
  };
}

/** The button: compose, or stop what is being composed. */
export function pressCompose() {
  if (state.busy) {
    if (performance.now() - began > 500) controller?.abort();
    return;
  }
  const { settings } = state;
  if (byId("fresh").checked && lastSeed === settings.seed) set({ seed: (settings.seed + 1) % 2 ** 31 });
  compose();
}

/** Compose what the settings say; `show` is the number to show, `push` whether the address remembers it. */
export async function compose({ show: number = 0, push = true, playIt = false } = {}) {
  if (!checkPrimer()) {
    byId("primer").focus();
    return;
  }
  const settings = { ...state.settings };
  const names = [settings.compare, settings.model].filter(Boolean);
  lastSeed = settings.seed;
  if (push) history.pushState(null, "", written(settings));
  const columns = names.map((name) => ({ title: modelTitle(name), model: name, note: "", settings }));
  await fill(columns, settings, (column, onNotes, signal) => composed("/api/compose", request(settings, column.model), { onNotes, signal }));
  if (!state.columns.length || state.columns[0].settings !== settings) return;
  const isCompared = columns.length > 1;
  for (const column of state.columns) {
    const wanted = column.candidates.find((one) => one.number === (number || (isCompared ? 1 : 0)));
    choose(column, wanted ?? ranked(column)[0]);
    remember(column, settings, { isRestored: !push });
  }
  state.active = state.columns.length - 1;
  tell("active");
  const [first] = state.columns[0].candidates;
  if (first) say(`${settings.bars} bars composed${isCompared ? " by both models" : settings.count > 1 ? `, ${settings.count} melodies` : ""}.`);
  if (playIt) playUnasked(activeColumn());
}

// One thing is composed at a time: what was begun before is dropped.
function begin() {
  stop();
  controller?.abort();
  controller = new AbortController();
  [state.busy, began] = [true, performance.now()];
  complain("compose-error");
  tell("busy");
  return controller;
}

function end(mine) {
  if (controller === mine) state.busy = false;
  tell("busy");
}

// Ask for all columns at once, show notes while they come, and the candidates in the end.
async function fill(columns, settings, asked) {
  const mine = begin();
  const before = { columns: state.columns, active: state.active };
  const expected = expectedLength(settings);
  for (const column of columns) Object.assign(column, { candidates: [], chosen: null, tick: 0, selection: null, live: new Map(), expected });
  state.columns = columns;
  state.active = columns.length - 1;
  tell("columns");
  try {
    const found = await Promise.all(columns.map((column) => asked(column, (sent) => hear(column, sent, settings), mine.signal)));
    columns.forEach((column, at) => {
      column.live = null;
      column.candidates = found[at].map((sent) => candidateOf(sent, { settings }));
      column.chosen = column.candidates[0]?.id ?? null;
    });
    state.composed = true;
  } catch (error) {
    if (controller === mine || !isDropped(error)) Object.assign(state, before);
    if (!isDropped(error)) complain("compose-error", error);
    else if (controller === mine) say("Stopped.");
    mine.abort();
    tell("columns");
  } finally {
    end(mine);
  }
  if (state.columns === columns) {
    tell("columns");
    const melody = shownIn(columns.at(-1))?.melody;
    if (melody) prepare(melody).catch(() => {});
  }
}

// New notes of a candidate that is still being composed.
function hear(column, { number, notes, length }, settings) {
  if (!column.live) return;
  const idea = safePrimer();
  const live = column.live.get(number) ?? { melody: { notes: [], key: settings.key || idea?.key || "C major", meter: settings.meter || idea?.meter || "4/4", tempo: 120, pickup: idea?.pickup ?? 0, length: 0, title: "" }, primer_notes: 0, number };
  live.melody = { ...live.melody, notes: [...live.melody.notes, ...notes], length: Math.max(length, live.melody.length) };
  column.live.set(number, live);
  tell("live", column, number);
}

const safePrimer = () => {
  try { return primerMelody(); } catch { return null; }
};

function expectedLength(settings) {
  const idea = safePrimer();
  const lead = settings.with_primer ? idea?.length ?? 0 : 0;
  return lead + settings.bars * meterTicks(settings.meter || idea?.meter || "4/4").bar;
}

/** Go on from the cursor of a column: what is before it becomes the beginning; from the end where the cursor is at the start. */
export function continueFrom(column) {
  const candidate = shownIn(column);
  if (!candidate || state.busy) return;
  const { melody } = candidate;
  const idea = upTo(melody, column.tick || melody.length);
  if (!idea.notes.length) return;
  const text = melody.pickup || idea.notes.length > 64 ? "" : typedMelody(idea);
  set({
    ...(text ? { primer: text, idea: null } : { idea: { ...idea, title: "The melody so far" } }),
    key: melody.key ?? "", meter: melody.meter, tempo: melody.tempo === 120 ? "" : melody.tempo, with_primer: true, model: candidate.model, compare: "",
  });
  compose();
}

/** Compose the chosen bars of a column anew; each melody stands among the cards as soon as it is there. */
export async function rewrite(column) {
  const candidate = shownIn(column), { selection } = column;
  if (!candidate || !selection || state.busy) return;
  const mine = begin();
  const { settings } = state, seed = Math.floor(Math.random() * 2 ** 31), fresh = [];
  const arrive = (sent) => {
    fresh.push(candidateOf(sent, { rewritten: selection, settings: candidate.settings ?? { ...settings } }));
    column.candidates = [fresh.at(-1), ...column.candidates].slice(0, 32);
    tell("verdicts");
  };
  try {
    await composed("/api/rewrite", {
      model: candidate.model, melody: candidate.melody, first: selection.first, last: selection.last, temperature: settings.temperature,
      range: settings.range.trim(), seed, count: Math.max(settings.count, 2), rules: rulesAsked(),
    }, { signal: mine.signal, onCandidate: arrive });
    const best = ranked({ candidates: fresh })[0];
    choose(column, best ?? candidate);
    column.tick = startOf(best ?? candidate, selection.first);
    tell("tick", column);
    remember(column, best?.settings ?? settings);
    say(`Bars ${selection.first} to ${selection.last} composed anew.`);
  } catch (error) {
    if (isDropped(error)) say("Stopped.");
    else complain("compose-error", error);
  } finally {
    end(mine);
  }
}

function startOf(candidate, bar) {
  const { melody } = candidate, whole = meterTicks(melody.meter).bar;
  return Math.max(0, (bar - 1) * whole + (melody.pickup % whole));
}

/** What one rule alone does: the first melody that came, and of many the one that it likes best. */
export async function onlyThisRule(rule) {
  if (state.busy || !checkPrimer()) return;
  const { settings } = state;
  const model = modelNamed(settings.model)?.untuned ?? settings.model, count = Math.min(16, Math.floor(512 / settings.bars));
  const rules = { set: settings.set, weights: { [rule]: 1 }, only: [rule] };
  const asked = composed("/api/compose", request(settings, model, { count, rules }));
  asked.catch(() => {});
  const plain = plainName(rule), columns = [
    { title: "Before", model, note: `as it came from ${modelTitle(model)}`, settings },
    { title: "After", model, note: `the best of ${count} for “${plain}” alone`, settings },
  ];
  await fill(columns, settings, async (column) => {
    const found = await asked;
    const best = found.reduce((a, b) => ((b.verdict?.total ?? -Infinity) > (a.verdict?.total ?? -Infinity) ? b : a), found[0]);
    return [column === columns[0] ? found[0] : best].map((one) => ({ ...one, settings }));
  });
  if (state.columns !== columns) return;
  colourBy("rules", rule);
  for (const column of columns) choose(column, column.candidates[0]);
  playInTurn();
}

/** Play the columns one after the other. */
export async function playInTurn() {
  for (const column of state.columns) {
    column.tick = 0;
    state.active = state.columns.indexOf(column);
    tell("active");
    if (!(await play(column, { expressive: byId("expressive").checked }).catch(() => false))) return;
  }
}

/** Ask for verdicts of everything that is shown, by the rules as they are now. */
export async function judgeAll(asker) {
  const all = state.columns.flatMap((column) => column.candidates).slice(0, 32);
  if (!all.length) return;
  const { verdicts } = await asker("/api/judge", { body: { melodies: all.map((one) => ({ ...one.melody, title: "" })), rules: rulesAsked() } });
  all.forEach((one, at) => { one.verdict = verdicts[at]; });
  tell("verdicts");
}

/** Open a melody that is not to be composed: of a link or of the history. */
export function open(melody, { title = "A melody", model = state.settings.model, candidate = null } = {}) {
  stop();
  const settings = { ...state.settings };
  const one = candidateOf({ melody, primer_notes: 0, model, seed: 0, number: 0, probabilities: [], verdict: null, foreign: true, settings, ...candidate });
  state.columns = [{ title, model, note: "", settings, candidates: [one], chosen: one.id, tick: 0, selection: null }];
  state.active = 0;
  tell("columns");
  choose(state.columns[0], one);
  tell("opened");
  if (!one.probabilities.length && modelNamed(model)) {
    chancesIn(one).then((chances) => { one.probabilities = chances; tell("verdicts"); }, () => {});
  }
  return one;
}

