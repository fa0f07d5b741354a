// What comes before the trials: consent, training, headphones, volume, and the last words.

import { make } from "/page/elements.js";
import { player } from "/page/player.js";
import { card, chosen, tiles } from "/page/questions.js";

const THREE = [["0", "First"], ["1", "Second"], ["2", "Third"]];

/** The first card: what it is about, and whether one agrees. */
export function consentCard({ study, begin, goOn }) {
  const parts = [
    make("p", {}, study.words.consent),
    make("p", {}, `There are ${study.trials} clips; it takes about ${study.minutes} minutes. ${study.headphones ? "You need headphones. " : ""}Nothing is stored of who you are: no name, no address.`),
  ];
  if (goOn) parts.push(make("div", { class: "told" }, make("p", {}, "Somebody began the test in this browser and has not finished it."), make("button", { type: "button", onclick: goOn }, "Go on where it stopped")));
  return card(study.title, parts, { send: "I agree, begin", onSend: begin });
}

/** For how many years one has had lessons. */
export function trainingCard({ study, put }) {
  const years = make("input", { type: "number", id: "years", min: 0, max: 120, step: "any", inputmode: "decimal" });
  const label = make("label", { for: "years" }, study.words.training);
  const field = make("div", { class: "number" }, years);
  return card("About you", [label, field, make("p", { class: "hint" }, "0 if you have had none. You may leave it empty.")], {
    send: "Next",
    onSend: async () => {
      const value = years.value.trim() === "" ? null : Number(years.value);
      if (years.validity.badInput || (value !== null && !(value >= 0 && value <= 120))) return "Give a number of years from 0 to 120, or nothing";
      return void await put("/api/sitting/training", { years: value });
    },
  });
}

/** One trial of the headphone check. */
export function headphonesCard({ state, put, onClose }) {
  const again = state.turn > 0;
  const told = again
    ? "The last answers sounded like loudspeakers, or a low volume. Put headphones on, turn the volume up a little, and try once more."
    : "Put headphones on. You will hear three tones: say which of them is the quietest.";
  const choice = tiles("quietest", "Which tone was the quietest?", THREE, "three");
  choice.disabled = true;
  const form = card(`Headphones: ${state.number + 1} of ${state.of}`, [], {
    send: "Next",
    onSend: async () => {
      const quietest = chosen(form, "quietest");
      if (quietest === undefined) return choice.disabled ? "Play the tones first, to their end" : "Choose one of the three";
      return void await put(`/api/sitting/headphones/${state.turn}/${state.number}`, { quietest: Number(quietest) });
    },
  });
  const sound = player({ least: 0.9, onHeard: () => { choice.disabled = false; }, onTrouble: form.complain });
  onClose(sound.close);
  form.querySelector("h1").after(make("p", {}, told), sound.element, choice);
  return form;
}

/** Setting the volume. */
export function volumeCard({ put, onClose }) {
  let isHeard = false;
  const form = card("The volume", [], {
    send: "It is comfortable",
    onSend: async () => (isHeard ? void await put("/api/sitting/volume") : "Play the clip first"),
  });
  const sound = player({ least: 0.3, onHeard: () => { isHeard = true; }, onTrouble: form.complain });
  onClose(sound.close);
  form.querySelector("h1").after(make("p", {}, "Play this clip and set the volume of your device so that it is comfortable. Leave it so until the end."), sound.element);
  return form;
}

/** The last words before the trials. */
export function readyCard({ study, put }) {
  const parts = [
    make("p", {}, `Now the test begins: ${study.trials} clips, one at a time. Once you have gone on you cannot go back.`),
    study.attention ? make("p", { class: "told" }, study.words.attention) : "",
    study.attention ? make("p", {}, "A clip may come twice; answer as you hear it then.") : "",
  ];
  return card("Ready?", parts, { send: "Begin", onSend: async () => void await put("/api/sitting/ready") });
}
