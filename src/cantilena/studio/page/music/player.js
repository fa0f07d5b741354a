// Sound: each note of the server's piano is an audio buffer, scheduled on the audio clock.

import { request } from "/page/api.js";
import { byId, announce } from "/page/elements.js";
import { noteAt, secondsOf } from "/page/music/music.js";
import { moveCursor, shownCandidate, state, emit } from "/page/state.js";

const AHEAD = 0.6, INTERVAL = 150, RELEASE = 0.12, LEAD = 0.08, SHORTEST = 0.1;
const buffers = new Map();
// Buffers are decoded before the first user gesture, when an AudioContext may not start yet.
const decoder = new OfflineAudioContext(1, 1, 44_100);
let context = null, out = null, running = null;

/** The audio context; the first call must follow a user gesture. */
export function audio() {
  if (!context) {
    context = new AudioContext({ latencyHint: "interactive" });
    out = context.createGain();
    out.gain.value = 0.9;
    out.connect(context.destination);
  }
  if (context.state === "suspended") context.resume();
  return context;
}

/** The sound of a pitch; requested once. */
function buffer(pitch) {
  if (!buffers.has(pitch)) {
    const sound = request(`/api/note/${pitch}.wav?velocity=80`, { as: "arrayBuffer" }).then((bytes) => decoder.decodeAudioData(bytes));
    sound.catch(() => buffers.delete(pitch));
    buffers.set(pitch, sound);
  }
  return buffers.get(pitch);
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
export async function scheduleNote(pitch, when, end) {
  const sound = await buffer(pitch);
  return start(sound, Math.max(when, context.currentTime), end).release;
}

function start(sound, when, end) {
  const source = context.createBufferSource(), volume = context.createGain();
  source.buffer = sound;
  source.connect(volume).connect(out);
  source.start(when);
  const release = (at) => {
    volume.gain.setTargetAtTime(0, at, RELEASE / 3);
    source.stop(at + 2 * RELEASE);
  };
  if (end !== null) release(end);
  return { source, release };
}

/** Load the notes of a melody. */
export async function preload(melody) {
  const pitches = [...new Set(melody.notes.flatMap((note) => note.pitches))];
  await Promise.all(pitches.map(buffer));
}

/** Play what a column shows from its cursor; resolves to whether the end was reached. */
export async function play(column, { expressive = false } = {}) {
  stop();
  const melody = shownCandidate(column)?.melody;
  if (!melody?.notes.length) return false;
  audio();
  if (column.tick >= melody.length) column.tick = 0;
  const run = { column, melody, from: column.tick, sources: [], next: 0, ended: null, start: 0, clock: [], timer: 0 };
  running = run;
  state.playing = true;
  emit("playing");
  try {
    if (expressive) await beginPerformance(run);
    else await beginNotes(run);
  } catch (error) {
    if (running === run) stop();
    throw error;
  }
  if (running !== run) return false;
  const end = new Promise((resolve) => { run.ended = resolve; });
  requestAnimationFrame(() => updateCursor(run));
  return end;
}

async function beginNotes(run) {
  await preload(run.melody);
  if (running !== run) return;
  const { melody, from } = run;
  run.start = context.currentTime + LEAD;
  run.clock = [{ tick: from, seconds: 0 }, { tick: melody.length, seconds: secondsOf(melody, melody.length - from) }];
  run.next = run.melody.notes.findIndex((note) => note.onset >= run.from);
  if (run.next < 0) run.next = run.melody.notes.length;
  await scheduleNotes(run);
  run.timer = setInterval(() => scheduleNotes(run), INTERVAL);
}

// Schedule the notes of the next moments.
async function scheduleNotes(run) {
  while (running === run && run.next < run.melody.notes.length) {
    const note = run.melody.notes[run.next], when = run.start + secondsOf(run.melody, note.onset - run.from);
    if (when > context.currentTime + AHEAD) return;
    run.next += 1;
    for (const pitch of note.pitches) {
      run.sources.push(start(await buffer(pitch), when, when + secondsOf(run.melody, note.duration)));
    }
  }
}

// An expressive performance is one sound, with a clock that maps its seconds to ticks.
async function beginPerformance(run) {
  const body = { melody: run.melody, expressive: true, from: run.from };
  const [bytes, { clock }] = await Promise.all([request("/api/sound", { body, as: "arrayBuffer" }), request("/api/timing", { body })]);
  const sound = await decoder.decodeAudioData(bytes);
  if (running !== run) return;
  run.start = context.currentTime + LEAD;
  run.clock = clock;
  run.sources.push(start(sound, run.start, null));
}

/** The tick at a time, interpolated between the points of a clock; null after the end. */
export function tickAt(clock, seconds) {
  const after = clock.findIndex((point) => point.seconds > seconds);
  if (after < 0) return null;
  const [a, b] = [clock[Math.max(after - 1, 0)], clock[after]];
  return b.seconds > a.seconds ? a.tick + ((b.tick - a.tick) * Math.max(seconds - a.seconds, 0)) / (b.seconds - a.seconds) : b.tick;
}

function updateCursor(run) {
  if (running !== run) return;
  const tick = tickAt(run.clock, context.currentTime - run.start);
  if (tick === null) {
    finish(run, true);
    return;
  }
  moveCursor(run.column, Math.max(Math.round(tick), run.from));
  requestAnimationFrame(() => updateCursor(run));
}

function finish(run, isComplete) {
  running = null;
  clearInterval(run.timer);
  state.playing = false;
  if (isComplete) moveCursor(run.column, 0);
  else for (const source of run.sources) source.release(context.currentTime);
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
