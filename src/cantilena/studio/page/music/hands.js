// Letters of the computer's keyboard and MIDI keyboards as hands on the piano.

import { byId, isTyping } from "/page/elements.js";
import { press, release, releaseAll } from "/page/music/keyboard.js";

const KEYS = ["KeyA", "KeyW", "KeyS", "KeyE", "KeyD", "KeyF", "KeyT", "KeyG", "KeyY", "KeyH", "KeyU", "KeyJ", "KeyK", "KeyO", "KeyL", "KeyP", "Semicolon"];
let octave = 60;

/** Let letters play: A is C, W is C sharp, and so on, as they lie under the hand. */
export function listenToLetters() {
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
    press(octave + step, event.code);
  });
  addEventListener("keyup", (event) => release(event.code));
  addEventListener("blur", releaseAll);
}

/** Connect MIDI keyboards, where the browser can and the person allows it. */
export async function connectMidi() {
  const says = byId("midi-says");
  if (!navigator.requestMIDIAccess) {
    says.textContent = "This browser knows no MIDI keyboards.";
    return;
  }
  try {
    const access = await navigator.requestMIDIAccess();
    const listen = () => {
      const inputs = [...access.inputs.values()];
      for (const input of inputs) input.onmidimessage = hear;
      says.textContent = inputs.length ? `Connected: ${inputs.map((input) => input.name).join(", ")}.` : "None is plugged in; one will work as soon as it is.";
    };
    access.onstatechange = listen;
    listen();
  } catch {
    says.textContent = "The browser did not allow it.";
  }
}

function hear({ data: [status, pitch, velocity] }) {
  const kind = status & 0xf0;
  if (kind === 0x90 && velocity > 0) press(pitch, `midi ${pitch}`);
  else if (kind === 0x80 || kind === 0x90) release(`midi ${pitch}`);
}
