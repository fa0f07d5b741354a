// Sound: one buffer a note from the server's piano, struck on the audio clock.

import { ask } from "/page/api.js";
import { byId, say } from "/page/elements.js";
import { noteAt, secondsOf } from "/page/music/music.js";
import { moveCursor, shownIn, state, tell } from "/page/state.js";

const AHEAD = 0.6, EVERY = 150, RELEASE = 0.12, LEAD = 0.08, SHORTEST = 0.1;
const buffers = new Map();
// Sounds are read before anybody has pressed a key, when a browser lets nothing play yet.
const decoder = new OfflineAudioContext(1, 1, 44_100);
let context = null, out = null, running = null;

function audio() {
  if (!context) {
    context = new AudioContext({ latencyHint: "interactive" });
    out = context.createGain();
    out.gain.value = 0.9;
    out.connect(context.destination);
  }
  if (context.state === "suspended") context.resume();
  return context;
}

/** The sound of a pitch; asked for once. */
function buffer(pitch) {
  if (!buffers.has(pitch)) {
    const made = ask(`/api/note/${pitch}.wav?velocity=80`, { as: "arrayBuffer" }).then((bytes) => decoder.decodeAudioData(bytes));
    made.catch(() => buffers.delete(pitch));
    buffers.set(pitch, made);
  }
  return buffers.get(pitch);
}

/** Sound a pitch now; the answer lets go of it. A key that was let go before its sound had come is heard all the same. */
export function strike(pitch) {
  audio();
  let source = null, isLetGo = false;
  buffer(pitch).then((sound) => {
    const now = context.currentTime;
    source = start(sound, now, isLetGo ? now + SHORTEST : null);
  }).catch(() => {});
  return () => {
    isLetGo = true;
    source?.release(context.currentTime);
  };
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

/** Fetch the notes of a melody before they are needed. */
export async function prepare(melody) {
  const pitches = [...new Set(melody.notes.flatMap((note) => note.pitches))];
  await Promise.all(pitches.map(buffer));
}

/** Play what a column shows from its cursor on; resolves to whether the end was reached. */
export async function play(column, { expressive = false } = {}) {
  stop();
  const melody = shownIn(column)?.melody;
  if (!melody?.notes.length) return false;
  audio();
  if (column.tick >= melody.length) column.tick = 0;
  const run = { column, melody, from: column.tick, sources: [], next: 0, ended: null, start: 0, clock: [], timer: 0 };
  running = run;
  state.playing = true;
  tell("playing");
  try {
    if (expressive) await beginWhole(run);
    else await beginNotes(run);
  } catch (error) {
    if (running === run) stop();
    throw error;
  }
  if (running !== run) return false;
  const end = new Promise((resolve) => { run.ended = resolve; });
  requestAnimationFrame(() => follow(run));
  return end;
}

async function beginNotes(run) {
  await prepare(run.melody);
  if (running !== run) return;
  const { melody, from } = run;
  run.start = context.currentTime + LEAD;
  run.clock = [{ tick: from, seconds: 0 }, { tick: melody.length, seconds: secondsOf(melody, melody.length - from) }];
  run.next = run.melody.notes.findIndex((note) => note.onset >= run.from);
  if (run.next < 0) run.next = run.melody.notes.length;
  await hand(run);
  run.timer = setInterval(() => hand(run), EVERY);
}

// Hand the notes of the next moments to the audio clock.
async function hand(run) {
  while (running === run && run.next < run.melody.notes.length) {
    const note = run.melody.notes[run.next], when = run.start + secondsOf(run.melody, note.onset - run.from);
    if (when > context.currentTime + AHEAD) return;
    run.next += 1;
    for (const pitch of note.pitches) {
      run.sources.push(start(await buffer(pitch), when, when + secondsOf(run.melody, note.duration)));
    }
  }
}

// A performance is one sound, and a clock that tells where in the melody it is: a pianist does not keep time.
async function beginWhole(run) {
  const asked = { melody: run.melody, expressive: true, from: run.from };
  const [bytes, { clock }] = await Promise.all([ask("/api/sound", { body: asked, as: "arrayBuffer" }), ask("/api/timing", { body: asked })]);
  const sound = await decoder.decodeAudioData(bytes);
  if (running !== run) return;
  run.start = context.currentTime + LEAD;
  run.clock = clock;
  run.sources.push(start(sound, run.start, null));
}

/** The tick that sounds so many seconds after the beginning, between the points of a clock; null when all is over. */
export function tickAt(clock, seconds) {
  const after = clock.findIndex((point) => point.seconds > seconds);
  if (after < 0) return null;
  const [a, b] = [clock[Math.max(after - 1, 0)], clock[after]];
  return b.seconds > a.seconds ? a.tick + ((b.tick - a.tick) * Math.max(seconds - a.seconds, 0)) / (b.seconds - a.seconds) : b.tick;
}

function follow(run) {
  if (running !== run) return;
  const tick = tickAt(run.clock, context.currentTime - run.start);
  if (tick === null) {
    finish(run, true);
    return;
  }
  moveCursor(run.column, Math.max(Math.round(tick), run.from));
  requestAnimationFrame(() => follow(run));
}

function finish(run, isWhole) {
  running = null;
  clearInterval(run.timer);
  state.playing = false;
  if (isWhole) moveCursor(run.column, 0);
  else for (const source of run.sources) source.release(context.currentTime);
  tell("playing");
  run.ended?.(isWhole);
}

/** Play because a link says so; where the browser wants a press first, the button waits for it under the hand. */
export async function playUnasked(column) {
  if (navigator.userActivation?.hasBeenActive ?? true) {
    await play(column).catch(() => {});
    return;
  }
  byId("play").focus();
  say("Press Enter to hear it.");
}

/** Stop what plays. */
export function stop() {
  if (running) finish(running, false);
}

/** The pitches that sound in a column now. */
export function sounding(column) {
  const melody = shownIn(column)?.melody;
  if (!melody) return [];
  const note = melody.notes[noteAt(melody, column.tick)];
  return note && column.tick < note.onset + note.duration ? note.pitches : [];
}
