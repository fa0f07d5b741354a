// Play the piano with the letters of the computer keyboard, or with a MIDI keyboard.

import { byId, isTyping } from "/page/elements.js";
import { press, release, releaseAll } from "/page/music/keyboard.js";

const KEYS = ["KeyA", "KeyW", "KeyS", "KeyE", "KeyD", "KeyF", "KeyT", "KeyG", "KeyY", "KeyH", "KeyU", "KeyJ", "KeyK", "KeyO", "KeyL", "KeyP", "Semicolon"];
let octave = 60;

/** Let letters play: A is C, W is C sharp, and so on, laid out like piano keys. */
export function initLetters() {
  addEventListener("keydown", (event) => {
    if (!byId("letters").checked || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (document.querySelector("dialog[open]")) return;
    if (event.code === "KeyZ" || event.code === "KeyX") {
      octave = Math.min(Math.max(octave + (event.code === "KeyX" ? 12 : -12), 24), 96);
      return;
    }
    const step = KEYS.indexOf(event.code);
    if (step < 0 || event.repeat) return;
    event.preventDefault();
    press(octave + step, event.code, event.timeStamp);
  });
  addEventListener("keyup", (event) => release(event.code, { at: event.timeStamp }));
  addEventListener("blur", releaseAll);
}

/** Connect MIDI keyboards, if the browser supports it and the user allows it. */
export async function connectMidi() {
  const show = (text) => { for (const status of document.querySelectorAll(".midi-status")) status.textContent = text; };
  if (!navigator.requestMIDIAccess) {
    show("This browser does not support MIDI keyboards.");
    return;
  }
  try {
    const access = await navigator.requestMIDIAccess();
    const connect = () => {
      const inputs = [...access.inputs.values()];
      for (const input of inputs) input.onmidimessage = onMidiMessage;
      show(inputs.length ? `Connected: ${inputs.map((input) => input.name).join(", ")}.` : "No keyboard is connected; it will work as soon as you plug one in.");
    };
    access.onstatechange = connect;
    connect();
  } catch {
    show("The browser did not allow access.");
  }
}

function onMidiMessage({ data: [status, pitch, velocity], timeStamp }) {
  const kind = status & 0xf0;
  if (kind === 0x90 && velocity > 0) press(pitch, `midi ${pitch}`, timeStamp);
  else if (kind === 0x80 || kind === 0x90) release(`midi ${pitch}`, { at: timeStamp });
}
