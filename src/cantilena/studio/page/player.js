// Sound: one buffer a note from the server's piano, struck on the audio clock.

import { ask } from "/page/api.js";
import { noteAt, secondsOf } from "/page/music.js";
import { moveCursor, shownIn, state, tell } from "/page/state.js";

const AHEAD = 0.6, EVERY = 150, RELEASE = 0.12, LEAD = 0.08, SHORTEST = 0.1;
const buffers = new Map();
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
    const made = ask(`/api/note/${pitch}.wav?velocity=80`, { as: "arrayBuffer" }).then((bytes) => audio().decodeAudioData(bytes));
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
  const run = { column, melody, from: column.tick, sources: [], next: 0, ended: null, origin: 0, scale: 1, timer: 0 };
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
  run.origin = context.currentTime + LEAD - secondsOf(run.melody, run.from);
  run.next = run.melody.notes.findIndex((note) => note.onset >= run.from);
  if (run.next < 0) run.next = run.melody.notes.length;
  await hand(run);
  run.timer = setInterval(() => hand(run), EVERY);
}

// Hand the notes of the next moments to the audio clock.
async function hand(run) {
  while (running === run && run.next < run.melody.notes.length) {
    const note = run.melody.notes[run.next], when = run.origin + secondsOf(run.melody, note.onset);
    if (when > context.currentTime + AHEAD) return;
    run.next += 1;
    for (const pitch of note.pitches) {
      run.sources.push(start(await buffer(pitch), when, when + secondsOf(run.melody, note.duration)));
    }
  }
}

async function beginWhole(run) {
  const bytes = await ask("/api/sound", { body: { melody: run.melody, expressive: true, from: run.from }, as: "arrayBuffer" });
  const sound = await context.decodeAudioData(bytes);
  if (running !== run) return;
  run.origin = context.currentTime + LEAD - secondsOf(run.melody, run.from);
  run.sources.push(start(sound, context.currentTime + LEAD, null));
}

function follow(run) {
  if (running !== run) return;
  const tick = Math.round((context.currentTime - run.origin) * run.melody.tempo * 24 / 60);
  if (tick >= run.melody.length) {
    finish(run, true);
    return;
  }
  moveCursor(run.column, Math.max(tick, run.from));
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
