// The cards before, between and after the trials.

import { make } from "/page/elements.js";
import { card, chosen, tiles } from "/page/forms.js";
import { player } from "/page/player.js";

const TONES = [["0", "First"], ["1", "Second"], ["2", "Third"]];

/** Information and consent; `resume` continues an unfinished test. */
export function consentCard({ study, begin, resume }) {
  const parts = [
    make("p", {}, study.words.consent),
    make("p", {}, `There are ${study.trials} clips, and the test takes about ${study.minutes} minutes. ${study.headphones ? "You need headphones. " : ""}No personal data are stored: no name and no address.`),
  ];
  if (resume) parts.push(make("div", { class: "note" }, make("p", {}, "A test that was started in this browser is not finished."), make("button", { type: "button", onclick: resume }, "Continue that test")));
  return card(study.title, parts, { submit: "I agree, start", onSubmit: begin });
}

/** Years of musical training. */
export function trainingCard({ study, put }) {
  const years = make("input", { type: "number", id: "years", min: 0, max: 120, step: "any", inputmode: "decimal" });
  const label = make("label", { for: "years" }, study.words.training);
  const field = make("div", { class: "number" }, years);
  return card("About you", [label, field, make("p", { class: "hint" }, "Enter 0 if you have had none, or leave the field empty.")], {
    submit: "Next",
    onSubmit: async () => {
      const value = years.value.trim() === "" ? null : Number(years.value);
      if (years.validity.badInput || (value !== null && !(value >= 0 && value <= 120))) return "Enter a number of years from 0 to 120, or leave the field empty";
      return void await put("/api/sitting/training", { years: value });
    },
  });
}

/** One trial of the headphone check. */
export function headphonesCard({ state, put, onClose }) {
  const instruction = state.turn > 0
    ? "Your last answers suggest loudspeakers or a low volume. Please put on headphones, turn the volume up a little, and try once more."
    : "Please put on headphones. You will hear three tones. Which of them is the quietest?";
  const choice = tiles("quietest", "Which tone was the quietest?", TONES, "three");
  choice.disabled = true;
  const form = card(`Headphones: ${state.number + 1} of ${state.of}`, [], {
    submit: "Next",
    onSubmit: async () => {
      const quietest = chosen(form, "quietest");
      if (quietest === undefined) return choice.disabled ? "Play all three tones first" : "Choose one of the three tones";
      return void await put(`/api/sitting/headphones/${state.turn}/${state.number}`, { quietest: Number(quietest) });
    },
  });
  const sound = player({ minHeard: 0.9, onHeard: () => { choice.disabled = false; }, onError: form.showError });
  onClose(sound.close);
  form.querySelector("h1").after(make("p", {}, instruction), sound.element, choice);
  return form;
}

/** Setting of the volume. */
export function volumeCard({ put, onClose }) {
  let isHeard = false;
  const form = card("Volume", [], {
    submit: "The volume is comfortable",
    onSubmit: async () => (isHeard ? void await put("/api/sitting/volume") : "Play the clip first"),
  });
  const sound = player({ minHeard: 0.3, onHeard: () => { isHeard = true; }, onError: form.showError });
  onClose(sound.close);
  form.querySelector("h1").after(make("p", {}, "Play this clip and set the volume of your device to a comfortable level. Please do not change it until the end of the test."), sound.element);
  return form;
}

/** Instructions before the trials. */
export function readyCard({ study, put }) {
  const parts = [
    make("p", {}, `The test starts now. You will hear ${study.trials} clips, one at a time. You cannot go back to a previous clip.`),
    study.attention ? make("p", { class: "note" }, study.words.attention) : "",
    study.attention ? make("p", {}, "A clip may be played twice. Please answer as you hear it at that moment.") : "",
  ];
  return card("Ready?", parts, { submit: "Start", onSubmit: async () => void await put("/api/sitting/ready") });
}

/** A pause between trials. */
export function pauseCard({ state, put }) {
  return card("A break", [make("p", {}, `You have finished ${state.number} of ${state.of} clips. Take a break for as long as you like.`)], {
    submit: "Continue",
    onSubmit: async () => void await put(`/api/sitting/pause/${state.number}`),
  });
}

/** The end, with the participant's own score. */
export function endCard({ study, state, next }) {
  const { people, people_right: peopleRight, computers, computers_right: computersRight } = state.score;
  return card("Thank you", [
    make("p", { class: "score", id: "score" }, `${peopleRight + computersRight} of ${people + computers}`),
    make("p", {}, "of your answers were correct. Guessing gives about half."),
    make("p", {}, `You recognised ${peopleRight} of ${people} clips by people, and ${computersRight} of ${computers} clips by computers.`),
    make("p", {}, "The computer programs had learned from melodies by people. All clips were played by the same piano at the same loudness, so only the notes differed."),
    study.attention ? make("p", {}, "Some clips did not count: melodies with shuffled notes and one with a single note. They show whether listeners pay attention.") : "",
    make("p", {}, "Please do not tell others what you heard before they have taken the test. Your answers are saved, and you can close this page."),
    make("div", { class: "row" }, make("button", { type: "button", onclick: next }, "Start for the next listener")),
  ], {});
}
