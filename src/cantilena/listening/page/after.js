// The pause in the middle, and the end with the listener's own score.

import { make } from "/page/elements.js";
import { card } from "/page/questions.js";

/** A pause, as long as one likes. */
export function pauseCard({ state, put }) {
  return card("A pause", [make("p", {}, `${state.number} of ${state.of} clips are done. Rest your ears as long as you like.`)], {
    send: "Go on",
    onSend: async () => void await put(`/api/sitting/pause/${state.number}`),
  });
}

/** What it was about, and how often one was right. */
export function endCard({ study, state, next }) {
  const { people, people_right: heardPeople, computers, computers_right: heardComputers } = state.score;
  return card("Thank you", [
    make("p", { class: "score", id: "score" }, `${heardPeople + heardComputers} of ${people + computers}`),
    make("p", {}, "clips you told right. Who tosses a coin is right in about half of them."),
    make("p", {}, `Of ${people} composed by people you called ${heardPeople} human; of ${computers} composed by computers you called ${heardComputers} computer.`),
    make("p", {}, "The computers were programs that learned from melodies of people. All clips were played by the same piano and equally loud, so that the notes are what tells."),
    study.attention ? make("p", {}, "Beside the clips that count you heard some of shuffled notes, and one single note: they show that listeners attend.") : "",
    make("p", {}, "Please do not tell others what you heard before they have taken the test. Your answers are kept; you may close this page."),
    make("div", { class: "row" }, make("button", { type: "button", onclick: next }, "The next listener, please")),
  ], {});
}
