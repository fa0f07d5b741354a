// One clip: it is fetched whole, played when asked, and how long it was heard is counted.

import { ask } from "/page/ask.js";
import { make } from "/page/elements.js";

let playing = null;

/** A player of what sounds here; `onHeard` is called once, when the share `least` of it was heard. */
export function player({ least, onHeard, onTrouble }) {
  const audio = new Audio();
  const button = make("button", { type: "button", class: "play", disabled: true, onclick: toggle }, "Loading …");
  const bar = make("progress", { max: 1, value: 0, "aria-label": "How far the clip has played" });
  const self = { element: make("div", { class: "player" }, button, bar), seconds: 0, ticket: "", toggle, close };
  let at = 0, isHeard = false, address = "";

  function toggle() {
    if (button.disabled) return;
    if (!audio.paused) audio.pause();
    else audio.play().catch((error) => onTrouble({ message: "the clip cannot be played", hint: error.message }));
  }

  // What was played since it was looked at last; a jump back to the beginning counts nothing.
  function count() {
    const passed = audio.currentTime - at;
    at = audio.currentTime;
    if (passed > 0) self.seconds += passed;
    bar.value = audio.duration ? Math.min(at / audio.duration, 1) : 0;
    if (!isHeard && audio.duration && self.seconds >= least * audio.duration) {
      isHeard = true;
      onHeard();
    }
  }

  audio.addEventListener("timeupdate", count);
  audio.addEventListener("play", () => {
    if (playing && playing !== audio) playing.pause();
    playing = audio;
    at = audio.currentTime;
    button.textContent = "Stop";
  });
  audio.addEventListener("pause", () => {
    count();
    button.textContent = self.seconds ? "Play again" : "Play";
    audio.currentTime = at = 0;
  });
  audio.addEventListener("canplaythrough", () => {
    if (!button.disabled) return;
    button.disabled = false;
    button.textContent = "Play";
    self.element.dataset.ready = "yes";
  });
  audio.addEventListener("error", () => onTrouble({ message: "the clip cannot be played here", hint: "try another browser" }));

  ask("/api/sitting/sound", { as: "sound" }).then(({ blob, ticket }) => {
    self.ticket = ticket;
    address = URL.createObjectURL(blob);
    audio.src = address;
  }).catch(onTrouble);

  function close() {
    audio.pause();
    if (address) URL.revokeObjectURL(address);
  }
  return self;
}
