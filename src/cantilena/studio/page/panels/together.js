// Play together: the user plays some bars with a metronome, and a model answers with as many.
//
// All times are seconds on the audio clock. The answer must sound at the barline, so the model is asked a beat before
// it, with what has been played until then, and again if more is played while there is time. The melody that is kept
// has all that was played.

import { request } from "/page/api.js";
import { openMelody } from "/page/compose.js";
import { announce, byId, draw, showError } from "/page/elements.js";
import { connectMidi } from "/page/music/input.js";
import { heldKeys } from "/page/music/keyboard.js";
import { QUARTER, meterTicks } from "/page/music/music.js";
import { audio, preload, playAt, stop as stopPlayer } from "/page/music/player.js";
import { addToHistory } from "/page/panels/history.js";
import { activeColumn, modelNamed, on, state } from "/page/state.js";

const INTERVAL = 40, AHEAD = 0.3, MOST_BARS = 192, HALF_SIXTEENTH = 3;
// The answer is scheduled so long before the barline.
const DECIDE = 0.15;
let session = null;

/** Set up the panel. */
export function initTogether() {
  byId("open-together").addEventListener("click", () => {
    const isOpen = byId("together").toggleAttribute("hidden") === false;
    byId("open-together").setAttribute("aria-expanded", String(isOpen));
    if (isOpen) byId("together-start").focus();
    else finish();
  });
  byId("together-start").addEventListener("click", () => (session ? finish() : start()));
  byId("together-midi").addEventListener("click", connectMidi);
  addEventListener("keydown", (event) => { if (event.key === "Escape" && session) finish(); });
  on("played", (pitch, since, until) => session?.played.push({ pitch, on: heardAt(session, since), off: heardAt(session, until) }));
  on("playing busy", () => { if (state.playing || state.busy) finish(); });
}

async function start() {
  stopPlayer();
  showError("together-error");
  const { settings } = state, model = modelNamed(settings.model);
  const tempo = Math.min(Math.max(Number(byId("together-tempo").value) || 120, 40), 240);
  byId("together-tempo").value = tempo;
  const meter = settings.meter || "4/4", ticks = meterTicks(meter), second = (tempo * QUARTER) / 60;
  const bars = Number(byId("together-bars").value);
  const own = session = {
    bars, tempo, meter, second, key: settings.key, seed: settings.seed, context: audio(),
    body: { model: settings.model, reply: byId("together-reply").value, temperature: settings.temperature, range: settings.range.trim(), style: model?.styles.some(({ name }) => name === settings.style) ? settings.style : "" },
    bar: ticks.bar / second, beat: ticks.beat / second, span: (bars * ticks.bar) / second, ticks: bars * ticks.bar,
    callAt: 0, clicks: 0, played: [], turns: [], answer: null, asked: "", isAsking: false, isAnswering: false, slowest: 0.2, sounds: [], timer: 0,
  };
  state.together = true;
  byId("together-start").textContent = "Stop";
  showTurn("Getting ready …");
  try {
    // The first answer of a model takes longer, and sounds must be there before they are needed.
    const pitches = Array.from({ length: (model?.high ?? 83) - (model?.low ?? 48) + 1 }, (_, at) => (model?.low ?? 48) + at);
    await Promise.all([request("/api/answer", { body: answerBody(own, [{ pitch: 60, on: 0, off: 1 }]) }), preload({ notes: [{ pitches }] })]);
  } catch (error) {
    if (session === own) finish(error);
    return;
  }
  if (session !== own) return;
  own.played = [];
  own.callAt = own.context.currentTime + 0.2 + own.bar;
  own.firstBeat = own.callAt - own.bar;
  own.timer = setInterval(() => advance(own), INTERVAL);
}

const answerAt = (one) => one.callAt + one.span;
// What is played is judged by the clicks that were heard, which come later than they were scheduled.
const heardAt = (one, milliseconds) => one.context.currentTime + (milliseconds - performance.now()) / 1000 - (one.context.outputLatency || 0);

/** The notes of this call so far, from its first beat; keys that are still held last to its end. */
function callNotes(one) {
  const held = heldKeys().map(({ pitch, since }) => ({ pitch, on: heardAt(one, since), off: answerAt(one) }));
  const early = one.callAt - QUARTER / 2 / one.second;
  return [...one.played, ...held].filter((note) => note.on >= early && note.on < answerAt(one) - HALF_SIXTEENTH / one.second)
    .map(({ pitch, on: from, off }) => ({ pitch, on: rounded(from - one.callAt), off: rounded(Math.max(off, from) - one.callAt) }));
}

const rounded = (seconds) => Math.round(seconds * 100) / 100;
const callBody = ({ bars, tempo, meter, key }, played) => ({ played, bars, tempo, meter, key });
const answerBody = (one, played) => ({ ...callBody(one, played), ...one.body, seed: one.seed + one.turns.length });

// Everything that is due, every few milliseconds.
function advance(one) {
  const now = one.context.currentTime, left = answerAt(one) - now, played = callNotes(one), text = JSON.stringify(played);
  click(one, now);
  const lead = Math.min(Math.max(one.beat, DECIDE + 2 * one.slowest), one.span / 2);
  const isInTime = !one.answer || left > DECIDE + 1.3 * one.slowest;
  if (!one.isAnswering && !one.isAsking && played.length && left < lead && isInTime && text !== one.asked) ask(one, played, text);
  if (!one.isAnswering && one.answer && left < DECIDE) sound(one, now);
  if (left < 0 && !one.isAnswering && !one.isAsking && !played.length) {
    announce("You played nothing: it is your turn again.");
    one.callAt += one.span;
  } else if (left < -one.span) {
    if (one.isAnswering) keepTurn(one);
    Object.assign(one, { callAt: one.callAt + 2 * one.span, answer: null, asked: "", isAnswering: false, sounds: [] });
    one.played = one.played.filter((note) => note.on >= one.callAt - one.beat);
    if (2 * one.bars * (one.turns.length + 1) > MOST_BARS) {
      finish();
      return;
    }
  }
  show(one, now, played);
}

async function ask(one, played, text) {
  const { callAt } = one, started = performance.now();
  [one.isAsking, one.asked] = [true, text];
  try {
    const answer = await request("/api/answer", { body: answerBody(one, played) });
    if (session === one && one.callAt === callAt && !one.isAnswering) one.answer = answer;
  } catch (error) {
    if (session === one) finish(error);
  } finally {
    one.isAsking = false;
    one.slowest = Math.max((performance.now() - started) / 1000, 0.9 * one.slowest);
  }
}

// Notes of an answer that came too late are left out, and the others stay in time.
function sound(one, now) {
  one.isAnswering = true;
  one.notes = one.answer.notes.filter((note) => answerAt(one) + note.onset / one.second > now - 0.05);
  for (const note of one.notes) {
    const when = answerAt(one) + note.onset / one.second;
    for (const pitch of note.pitches) one.sounds.push(playAt(pitch, when, when + note.duration / one.second));
  }
}

// Only now all keys of the call are up: it is written as it was played, the last beat included.
function keepTurn(one) {
  const { notes } = one, played = callNotes(one);
  const written = request("/api/call", { body: callBody(one, played) }).then(({ melody }) => ({ call: melody, notes }));
  written.catch(() => {});
  one.key ||= one.answer.call.key ?? "";
  one.turns.push(written);
}

function click(one, now) {
  const perBar = Math.round(one.bar / one.beat);
  for (let when = one.firstBeat + one.clicks * one.beat; when < now + AHEAD; when = one.firstBeat + one.clicks * one.beat) {
    // The first bar is counted in without the metronome too.
    if (when >= now && (byId("together-metronome").checked || one.clicks < perBar)) {
      const tone = one.context.createOscillator(), volume = one.context.createGain();
      tone.frequency.value = one.clicks % perBar ? 1000 : 1500;
      volume.gain.setValueAtTime(0.25, when);
      volume.gain.exponentialRampToValueAtTime(0.001, when + 0.05);
      tone.connect(volume).connect(one.context.destination);
      tone.start(when);
      tone.stop(when + 0.06);
    }
    one.clicks += 1;
  }
}

async function finish(error = null) {
  const one = session;
  if (!one) return;
  session = null;
  state.together = false;
  clearInterval(one.timer);
  for (const made of one.sounds) made.then((release) => release(one.context.currentTime), () => {});
  byId("together-start").textContent = "Start";
  showTurn("");
  byId("together-position").textContent = "";
  showError("together-error", error);
  if (one.isAnswering) keepTurn(one);
  const turns = (await Promise.allSettled(one.turns)).filter(({ status }) => status === "fulfilled").map(({ value }) => value);
  if (!turns.length || session) return;
  openMelody(joined(one, turns), { title: "Played together", model: one.body.model });
  await addToHistory(activeColumn(), { ...state.settings });
  announce(`Stopped. ${turns.length === 1 ? "Your call and its answer are" : `${turns.length} calls and their answers are`} the current melody.`);
}

/** Calls and answers, one after the other. */
function joined(one, turns) {
  const notes = turns.flatMap(({ call, notes: answer }, at) => {
    const from = 2 * one.ticks * at, move = (by) => (note) => ({ ...note, onset: note.onset + by });
    return [...call.notes.map(move(from)), ...answer.map(move(from + one.ticks))];
  });
  return { notes, key: turns[0].call.key, meter: one.meter, tempo: one.tempo, pickup: 0, length: 2 * one.ticks * turns.length, title: "Played together", chords: [] };
}

function showTurn(text) {
  if (byId("together-turn").textContent !== text) byId("together-turn").textContent = text;
}

function show(one, now, played) {
  const isCountIn = now < one.callAt, isAnswer = now >= answerAt(one);
  showTurn(isCountIn ? "Count-in" : isAnswer ? "The model answers" : "Your turn");
  const from = isCountIn ? one.callAt - one.bar : isAnswer ? answerAt(one) : one.callAt, into = Math.max(now - from, 0);
  const bar = Math.floor(into / one.bar), beat = Math.floor((into - bar * one.bar) / one.beat);
  byId("together-position").textContent = `${isCountIn ? "" : `bar ${bar + 1} of ${one.bars}, `}beat ${beat + 1}`;
  // A roll of the call and the answer, in hundredths of their time.
  const x = (seconds) => (100 * seconds) / (2 * one.span), y = (pitch) => 40 - ((pitch - 36) * 40) / 60;
  const rect = (kind, pitch, onset, length) => draw("rect", { class: kind, data: { pitch }, x: x(onset), y: y(pitch), width: Math.max(x(length), 0.3), height: 1.4 });
  const answer = one.isAnswering ? one.notes.flatMap((note) => note.pitches.map((pitch) => rect("answer", pitch, one.span + note.onset / one.second, note.duration / one.second))) : [];
  const line = (kind, at) => draw("line", { class: kind, x1: x(at), x2: x(at), y1: 0, y2: 40 });
  const bars = Array.from({ length: 2 * one.bars }, (_, at) => line(at === one.bars ? "half" : "bar", at * one.bar));
  byId("together-roll").replaceChildren(...bars, ...played.map((note) => rect("call", note.pitch, Math.max(note.on, 0), Math.min(note.off, now - one.callAt) - note.on)), ...answer, line("now", Math.max(now - one.callAt, 0)));
}
