// Sound: each note of the server's instruments is an audio buffer, scheduled on the audio clock.
//
// A position is in seconds at the melody's own tempo, counted over all repeats: 0 where playing began, less during the
// count-in. Speed, loop and instrument may change while playing: what was scheduled and has not begun is planned anew.

import { request } from "/page/api.js";
import { byId, announce } from "/page/elements.js";
import { MidiSender, midiPort } from "/page/music/midi-output.js";
import { meterTicks, noteAt, secondsOf } from "/page/music/music.js";
import { beatsOf, loopOf, secondsAt, tickAt } from "/page/music/timeline.js";
import { instrumentOf, transport } from "/page/music/transport.js";
import { moveCursor, on, shownCandidate, state, emit } from "/page/state.js";

export { tickAt };

const AHEAD = 0.6, MIDI_AHEAD = 0.15, INTERVAL = 50, RELEASE = 0.12, LEAD = 0.08, SHORTEST = 0.1;
const VELOCITY = 80, VELOCITY_STEP = 16, LENGTHS = [2, 4, 8], RATE = 44_100;
const buffers = new Map(), clicks = new Map(), chordNotes = new WeakMap();
// Buffers are decoded before the first user gesture, when an AudioContext may not start yet.
const decoder = new OfflineAudioContext(1, 1, RATE);
let context = null, out = null, running = null;

/** The audio context; the first call must follow a user gesture. */
export function audio() {
  if (!context) {
    context = new AudioContext({ latencyHint: "interactive" });
    out = context.createGain();
    out.gain.value = transport.volume / 100;
    out.connect(context.destination);
  }
  if (context.state === "suspended") context.resume();
  return context;
}

/** The sound of a pitch, a little longer than it is held; requested once. */
function buffer(pitch, { instrument = transport.instrument, velocity = VELOCITY, seconds = 0 } = {}) {
  const length = LENGTHS.find((one) => one >= seconds) ?? LENGTHS.at(-1);
  const path = `/api/note/${pitch}.wav?velocity=${velocity}&seconds=${length}&instrument=${instrument}`;
  if (!buffers.has(path)) {
    const sound = request(path, { as: "arrayBuffer" }).then((bytes) => decoder.decodeAudioData(bytes));
    sound.catch(() => buffers.delete(path));
    buffers.set(path, sound);
  }
  return buffers.get(path);
}

// A click of the metronome: a sine wave that fades within 30 ms.
function click(isDownbeat) {
  if (!clicks.has(isDownbeat)) {
    const sound = decoder.createBuffer(1, Math.round(0.04 * RATE), RATE), samples = sound.getChannelData(0);
    const [frequency, level] = isDownbeat ? [1760, 0.6] : [1175, 0.35];
    for (let at = 0; at < samples.length; at += 1) samples[at] = level * Math.exp((-at / RATE) * 180) * Math.sin((2 * Math.PI * frequency * at) / RATE);
    clicks.set(isDownbeat, sound);
  }
  return clicks.get(isDownbeat);
}

/** Play a note now; call the result to release it. A key that is released before its sound has loaded still sounds. */
export function playNote(pitch) {
  audio();
  let source = null, isReleased = false;
  buffer(pitch).then((sound) => {
    const now = context.currentTime;
    source = start(sound, now, isReleased ? now + SHORTEST : null);
  }).catch(() => {});
  return () => {
    isReleased = true;
    source?.release(context.currentTime);
  };
}

/** Play a note at a time of the audio clock; call what it resolves to with a time to end it earlier. */
export async function playAt(pitch, when, end) {
  const sound = await buffer(pitch);
  return start(sound, Math.max(when, context.currentTime), end).release;
}

function start(sound, when, end, gain = 1) {
  const source = context.createBufferSource(), volume = context.createGain();
  source.buffer = sound;
  volume.gain.value = gain;
  source.connect(volume).connect(out);
  source.start(when);
  const release = (at) => {
    volume.gain.cancelScheduledValues(0);
    volume.gain.setTargetAtTime(0, at, RELEASE / 3);
    source.stop(at + 2 * RELEASE);
  };
  const cancel = () => {
    volume.disconnect();
    source.stop(context.currentTime);
  };
  if (end !== null) release(end);
  return { source, release, cancel };
}

/** Load the notes of a melody. */
export async function preload(melody) {
  const seconds = (note) => secondsOf(melody, note.duration) / (transport.speed / 100);
  await Promise.all(melody.notes.flatMap((note) => note.pitches.map((pitch) => buffer(pitch, { seconds: seconds(note) }))));
}

/**
 * Play what a column shows from its cursor; resolves to whether the end was reached. With `once`, and for notes that
 * are in no column, there is neither a loop nor a count-in.
 */
export async function play(column, { expressive = false, once = false } = {}) {
  stop();
  const melody = shownCandidate(column)?.melody;
  if (!melody?.notes.length) return false;
  audio();
  if (column.tick >= melody.length) column.tick = 0;
  const isOnce = once || !state.columns.includes(column);
  const run = { column, melody, isOnce, from: column.tick, sources: new Set(), ended: null, timer: 0, sender: null, chords: [] };
  running = run;
  state.playing = true;
  emit("playing");
  try {
    await load(run, expressive);
    if (running !== run) return false;
    begin(run);
  } catch (error) {
    if (running === run) stop();
    throw error;
  }
  const end = new Promise((resolve) => { run.ended = resolve; });
  requestAnimationFrame(() => updateCursor(run));
  return end;
}

// The clock of the melody, its notes with their velocities, those of its chords, and their sounds.
async function load(run, expressive) {
  const { melody } = run;
  const timing = expressive ? request("/api/timing", { body: { melody, expressive } }) : null;
  await loadChords(run);
  const { clock, notes } = (await timing) ?? { clock: [{ tick: 0, seconds: 0 }, { tick: melody.length, seconds: secondsOf(melody, melody.length) }], notes: [] };
  const velocities = new Map(notes.map(({ note, velocity }) => [note, velocity]));
  run.clock = clock;
  run.notes = melody.notes.map((note, number) => ({ ...note, velocity: velocities.get(number) ?? VELOCITY, channel: 0 }));
  await Promise.all(allNotes(run).flatMap((note) => note.pitches.map((pitch) => soundOf(run, note, pitch))));
}

async function loadChords(run) {
  const { melody } = run, pattern = transport.accompaniment;
  if (!melody.chords?.length || pattern === "none") {
    run.chords = [];
    return;
  }
  const known = chordNotes.get(melody) ?? new Map();
  chordNotes.set(melody, known);
  if (!known.has(pattern)) known.set(pattern, await request("/api/accompaniment", { body: { melody, pattern } }));
  const { notes, velocity } = known.get(pattern);
  run.chords = notes.map((note) => ({ ...note, velocity, channel: 1 }));
}

const allNotes = (run) => [...run.notes, ...run.chords];

// Brightness comes in few steps, loudness exactly: a sound for each velocity would be too many.
const stepOf = (velocity) => Math.min(Math.max(Math.round(velocity / VELOCITY_STEP), 1), 7) * VELOCITY_STEP;

function soundOf(run, note, pitch) {
  const seconds = (secondsAt(run.clock, note.onset + note.duration) - secondsAt(run.clock, note.onset)) / (transport.speed / 100);
  return buffer(pitch, { instrument: instrumentOf(note.channel > 0), velocity: stepOf(note.velocity), seconds });
}

function begin(run) {
  const { melody, column } = run;
  run.speed = transport.speed / 100;
  if (transport.loop && !run.isOnce) {
    const loop = loopOf(melody, column.selection);
    if (run.from < loop.from || run.from >= loop.to) run.from = loop.from;
  }
  const isCounted = transport.countIn && !run.isOnce;
  run.counted = isCounted ? secondsOf(melody, meterTicks(melody.meter).bar) : 0;
  run.anchor = { time: context.currentTime + LEAD, at: -run.counted };
  // The two clocks are compared once, so that times between messages are exact.
  run.epoch = performance.now() - 1000 * (context.currentTime - (context.outputLatency || 0));
  plan(run, -run.counted);
  run.timer = setInterval(() => schedule(run), INTERVAL);
}

const timeOf = (run, at) => run.anchor.time + (at - run.anchor.at) / run.speed;
const positionOf = (run, time) => run.anchor.at + (time - run.anchor.time) * run.speed;

// Plan all sounds from a position; repeats are added when they come near.
function plan(run, at) {
  const tick = at > 0 ? tickOf(run, at) ?? run.melody.length : run.from;
  Object.assign(run, { passes: [], sounds: [], next: 0, plan: Symbol("plan") });
  updateSender(run);
  run.sender?.clear();
  run.sender?.begin(Math.max(at, 0), Math.round(tick));
  if (at < 0) {
    const { bar } = meterTicks(run.melody.meter), length = secondsOf(run.melody, 1);
    for (const beat of beatsOf(run.melody, run.from - bar, run.from)) {
      const place = (beat.tick - run.from) * length;
      if (place >= at - 1e-9) run.sounds.push({ at: place, beat });
    }
  }
  addPass(run, Math.max(at, 0), tick);
  schedule(run);
}

// One pass from a tick to the end of the loop or of the melody.
function addPass(run, at, tick) {
  const { melody, clock } = run;
  const loop = transport.loop && !run.isOnce ? loopOf(melody, run.column.selection) : null;
  const from = loop && (tick < loop.from || tick >= loop.to) ? loop.from : tick, to = loop?.to ?? melody.length;
  const place = (one) => at + secondsAt(clock, one) - secondsAt(clock, from);
  run.passes.push({ at, from, end: place(to), again: loop?.from ?? null });
  const sounds = allNotes(run).filter(({ onset }) => onset >= from && onset < to)
    .map((note) => ({ at: place(note.onset), until: place(Math.min(note.onset + note.duration, to)), note }));
  if (transport.metronome) sounds.push(...beatsOf(melody, from, to).map((beat) => ({ at: place(beat.tick), beat })));
  run.sounds.push(...sounds.sort((a, b) => a.at - b.at));
  if (!run.sender) return;
  for (const { at: start, until, note } of sounds) if (note) run.sender.addNote({ ...note, at: start, until });
  for (let one = Math.ceil(from); one < to; one += 1) run.sender.addClock(place(one));
}

function updateSender(run) {
  const port = midiPort();
  if (run.sender?.port === (port ?? undefined) && run.sender?.withClock === transport.clock) return;
  run.sender?.stop();
  run.sender = port ? new MidiSender(port, { withClock: transport.clock }) : null;
}

// Schedule the sounds and messages of the next moments.
function schedule(run) {
  if (running !== run) return;
  const now = context.currentTime, last = () => run.passes.at(-1);
  while (last().again !== null && timeOf(run, last().end) < now + AHEAD) addPass(run, last().end, last().again);
  for (; run.next < run.sounds.length && timeOf(run, run.sounds[run.next].at) <= now + AHEAD; run.next += 1) {
    const sound = run.sounds[run.next];
    if (sound.beat) add(run, sound, start(click(sound.beat.isDownbeat), timeOf(run, sound.at), null));
    else for (const pitch of sound.note.pitches) scheduleNote(run, sound, pitch);
  }
  run.sender?.send(positionOf(run, now + MIDI_AHEAD), (at) => run.epoch + 1000 * timeOf(run, at));
}

async function scheduleNote(run, sound, pitch) {
  const own = run.plan, loaded = await soundOf(run, sound.note, pitch).catch(() => null);
  if (!loaded || running !== run || run.plan !== own || timeOf(run, sound.until) < context.currentTime) return;
  const gain = (sound.note.velocity / stepOf(sound.note.velocity)) ** 1.7;
  add(run, sound, start(loaded, timeOf(run, sound.at), timeOf(run, sound.until), gain));
}

function add(run, { at, until = null }, sound) {
  const one = { at, until, ...sound };
  run.sources.add(one);
  one.source.addEventListener("ended", () => run.sources.delete(one));
}

// After a change: what sounds goes on, what has not begun is planned anew.
function replan(run) {
  if (running !== run || !run.passes) return;
  const now = context.currentTime, at = positionOf(run, now);
  const began = [...run.sources].filter((one) => one.at <= at);
  for (const one of run.sources) if (one.at > at) one.cancel();
  run.anchor = { time: now, at };
  run.speed = transport.speed / 100;
  for (const one of began) if (one.until !== null && one.until > at) one.release(timeOf(run, one.until));
  plan(run, at);
}

on("transport", async (changes) => {
  if ("volume" in changes) out?.gain.setTargetAtTime(transport.volume / 100, context.currentTime, 0.02);
  const run = running;
  if (!run?.passes) return;
  if ("accompaniment" in changes) await loadChords(run).catch(() => {});
  if (["speed", "loop", "metronome", "instrument", "accompaniment", "output", "clock"].some((name) => name in changes)) replan(run);
});
on("selection", (column) => { if (running?.column === column && transport.loop) replan(running); });
addEventListener("pagehide", () => stop());

// The tick at a position; null after the end.
function tickOf(run, at) {
  const pass = run.passes.findLast((one) => one.at <= at) ?? run.passes[0];
  if (at >= pass.end) return pass.again;
  return tickAt(run.clock, secondsAt(run.clock, pass.from) + Math.max(at - pass.at, 0));
}

function updateCursor(run) {
  if (running !== run) return;
  const at = positionOf(run, context.currentTime), tick = at < 0 ? run.from : tickOf(run, at);
  if (tick === null) {
    finish(run, true);
    return;
  }
  moveCursor(run.column, Math.round(tick));
  requestAnimationFrame(() => updateCursor(run));
}

function finish(run, isComplete) {
  running = null;
  clearInterval(run.timer);
  state.playing = false;
  run.sender?.stop();
  if (isComplete) moveCursor(run.column, 0);
  else for (const one of run.sources) one.release(context.currentTime);
  emit("playing");
  run.ended?.(isComplete);
}

/** Play as a link asks; if the browser requires a user gesture first, focus the play button. */
export async function autoplay(column) {
  if (navigator.userActivation?.hasBeenActive ?? true) {
    await play(column).catch(() => {});
    return;
  }
  byId("play").focus();
  announce("Press Enter to play.");
}

/** Stop playing. */
export function stop() {
  if (running) finish(running, false);
}

/** The pitches that sound in a column at its cursor. */
export function soundingPitches(column) {
  const melody = shownCandidate(column)?.melody;
  if (!melody) return [];
  const note = melody.notes[noteAt(melody, column.tick)];
  return note && column.tick < note.onset + note.duration ? note.pitches : [];
}
