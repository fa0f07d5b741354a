// MIDI output: the notes that are heard, and a MIDI clock, sent to a port of Web MIDI with timestamps.

import { byId, make, announce } from "/page/elements.js";
import { transport, updateTransport } from "/page/music/transport.js";
import { on } from "/page/state.js";

const CLOCK = 0xf8, START = 0xfa, CONTINUE = 0xfb, STOP = 0xfc, POSITION = 0xf2, ALL_NOTES_OFF = 123;
const TICKS_PER_SIXTEENTH = 6, CHANNELS = 2, CONNECT = "connect";
let access = null;

/** The port that is chosen and connected; null if there is none. */
export function midiPort() {
  return [...(access?.outputs.values() ?? [])].find(({ name }) => transport.output && name === transport.output) ?? null;
}

/** Set up the menu of ports. Browsers ask the user before the first use, so it is connected when the user says so. */
export function initMidiOutput() {
  const menu = byId("midi-output");
  menu.disabled = !navigator.requestMIDIAccess;
  menu.addEventListener("change", async () => {
    if (menu.value !== CONNECT) {
      updateTransport({ output: menu.value });
      return;
    }
    await connect();
    announce(access ? `${access.outputs.size} MIDI outputs found.` : "The browser did not allow MIDI.");
    menu.focus();
  });
  on("transport", showPorts);
  showPorts();
  reconnect();
}

// Connect to the port of the last visit, if that needs no question.
async function reconnect() {
  if (!transport.output || !navigator.requestMIDIAccess) return;
  const permission = await navigator.permissions?.query({ name: "midi" }).catch(() => null);
  if (permission?.state === "granted") await connect();
}

async function connect() {
  try {
    access = await navigator.requestMIDIAccess();
  } catch {
    access = null;
  }
  access?.addEventListener?.("statechange", showPorts);
  showPorts();
}

function showPorts() {
  const menu = byId("midi-output"), names = [...(access?.outputs.values() ?? [])].map(({ name }) => name);
  const options = [["", "None"], ...names.map((name) => [name, name])];
  if (transport.output && !names.includes(transport.output)) options.push([transport.output, `${transport.output} (not connected)`]);
  if (navigator.requestMIDIAccess) options.push([CONNECT, access ? "Search again …" : "Find MIDI outputs …"]);
  menu.replaceChildren(...options.map(([value, title]) => make("option", { value }, title)));
  menu.value = transport.output;
  byId("midi-clock").disabled = menu.disabled;
  byId("midi-clock").closest("label").hidden = !transport.output;
}

/**
 * Sends a performance to a port. Positions are seconds of the performance at its own tempo, counted over all repeats:
 * they only increase, so that a message is sent once even if the plan changes.
 */
export class MidiSender {
  constructor(port, { withClock }) {
    this.port = port;
    this.withClock = withClock;
    this.messages = [];
    this.sounding = new Map();
    this.sentUntil = -Infinity;
    this.latest = 0;
    this.isStarted = false;
  }

  /** Forget the messages that were not sent, but end the notes that sound. */
  clear() {
    this.messages = [...this.sounding.values()].map((note) => ({ at: note.until, order: 0, note }));
  }

  /** Start a receiver of the clock at a position and a tick of the melody. */
  begin(at, tick) {
    if (!this.withClock || this.isStarted) return;
    const place = Math.floor(tick / TICKS_PER_SIXTEENTH);
    if (tick) this.messages.push({ at, order: -2, data: [POSITION, place & 0x7f, place >> 7] });
    this.messages.push({ at, order: -1, data: [tick ? CONTINUE : START], isStart: true });
  }

  /** Add a note; `channel` counts from 0. */
  addNote({ at, until, pitches, velocity, channel }) {
    if (at <= this.sentUntil) return;
    for (const pitch of pitches) {
      const note = { channel, pitch, until };
      this.messages.push({ at, order: 2, note, data: [0x90 | channel, pitch, velocity] }, { at: until, order: 0, note });
    }
  }

  /** Add a tick of the clock, 24 a quarter note. */
  addClock(at) {
    if (this.withClock && at > this.sentUntil) this.messages.push({ at, order: 1, data: [CLOCK] });
  }

  /** Send all messages up to a position; `timeOf` gives the timestamp of a position in milliseconds. */
  send(until, timeOf) {
    this.messages.sort((a, b) => a.at - b.at || a.order - b.order);
    while (this.messages.length && this.messages[0].at <= until) {
      const message = this.messages.shift(), time = timeOf(message.at);
      if (message.isStart) this.isStarted = true;
      if (message.order === 0) this.#end(message.note, time);
      else {
        if (message.note) this.#begin(message.note, time);
        this.#send(message.data, time);
      }
    }
    this.sentUntil = Math.max(this.sentUntil, until);
  }

  /** End all notes, and stop receivers of the clock. */
  stop() {
    this.port.clear?.();
    const time = Math.max(this.latest, performance.now());
    for (const note of [...this.sounding.values()]) this.#end(note, time);
    for (let channel = 0; channel < CHANNELS; channel += 1) this.#send([0xb0 | channel, ALL_NOTES_OFF, 0], time);
    if (this.isStarted) this.#send([STOP], time);
    this.messages = [];
  }

  #begin(note, time) {
    const same = this.sounding.get(`${note.channel} ${note.pitch}`);
    if (same) this.#end(same, time);
    this.sounding.set(`${note.channel} ${note.pitch}`, note);
  }

  #end(note, time) {
    const key = `${note.channel} ${note.pitch}`;
    if (this.sounding.get(key) !== note) return;
    this.sounding.delete(key);
    this.#send([0x80 | note.channel, note.pitch, 0], time);
  }

  #send(data, time) {
    this.latest = Math.max(this.latest, time);
    this.port.send(data, time);
  }
}
