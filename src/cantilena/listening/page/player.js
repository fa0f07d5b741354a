// The player of one clip, which measures how long the clip was heard.

import { request } from "/page/api.js";
import { make } from "/page/elements.js";

let playing = null;

/** A player of the current sound; `onHeard` is called once, after the share `minHeard` of it was heard. */
export function player({ minHeard, onHeard, onError }) {
  const audio = new Audio();
  const button = make("button", { type: "button", class: "play", disabled: true, onclick: toggle }, "Loading …");
  const bar = make("progress", { max: 1, value: 0, "aria-label": "Progress of the clip" });
  const self = { element: make("div", { class: "player" }, button, bar), seconds: 0, token: "", toggle, close };
  let lastTime = 0, isHeard = false, address = "";

  function toggle() {
    if (button.disabled) return;
    if (!audio.paused) audio.pause();
    else audio.play().catch((error) => onError({ message: "the clip cannot be played", hint: error.message }));
  }

  // Add the time since the last event; a jump back to the beginning adds nothing. Playing starts at 0, however late a
  // busy browser reports it.
  function count() {
    const passed = audio.currentTime - lastTime;
    lastTime = audio.currentTime;
    if (passed > 0) self.seconds += passed;
    bar.value = audio.duration ? Math.min(lastTime / audio.duration, 1) : 0;
    if (!isHeard && audio.duration && self.seconds >= minHeard * audio.duration) {
      isHeard = true;
      onHeard();
    }
  }

  audio.addEventListener("timeupdate", count);
  audio.addEventListener("play", () => {
    if (playing && playing !== audio) playing.pause();
    playing = audio;
    button.textContent = "Stop";
  });
  audio.addEventListener("pause", () => {
    count();
    button.textContent = self.seconds ? "Play again" : "Play";
    audio.currentTime = lastTime = 0;
  });
  audio.addEventListener("canplaythrough", () => {
    if (!button.disabled) return;
    button.disabled = false;
    button.textContent = "Play";
    self.element.dataset.ready = "yes";
  });
  audio.addEventListener("error", () => onError({ message: "this browser cannot play the clip", hint: "try another browser" }));

  request("/api/sitting/sound", { as: "file" }).then(({ blob, token }) => {
    self.token = token;
    address = URL.createObjectURL(blob);
    audio.src = address;
  }).catch(onError);

  function close() {
    audio.pause();
    if (address) URL.revokeObjectURL(address);
  }
  return self;
}
