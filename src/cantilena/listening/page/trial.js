// One trial: hear a clip, say who composed it and how sure one is.

import { isTyping, make, announce } from "/page/elements.js";
import { player } from "/page/player.js";
import { card, chosen, rating, tiles } from "/page/questions.js";

const LETTERS = "cantilena.letters";

let letters;

/** A trial, or one for practice whose answer is not kept. */
export function trialCard({ study, state, put, onClose }) {
  const { words } = study, isPractice = state.stage === "practice";
  const answer = make("fieldset", { disabled: true, "aria-label": "Your answer" },
    tiles("answer", words.question, [["human", "Human"], ["computer", "Computer"]], "two"),
    tiles("confidence", "How sure are you?", words.confidence.map((text, n) => [n + 1, text[0].toUpperCase() + text.slice(1)])),
    make("label", { class: "check" }, make("input", { type: "checkbox", name: "known" }), make("span", {}, words.known)),
    ratings(words.ratings));
  const hint = make("p", { class: "hint" }, `You can answer when you have heard ${study.least_heard > 0.5 ? "most" : "half"} of the clip.`);
  const form = card(isPractice ? `Practice: ${state.number + 1} of ${state.of}` : `Clip ${state.number + 1} of ${state.of}`, [], {
    send: "Next",
    onSend: async () => {
      if (answer.disabled) return "Play the clip first";
      const [said, sure] = ["answer", "confidence"].map((name) => chosen(form, name));
      if (!said || !sure) return said ? "Say how sure you are" : "Say who composed it";
      if (isPractice) return void await put(`/api/sitting/practice/${state.number}`);
      return void await put(`/api/sitting/answers/${state.number}`, {
        answer: said, confidence: Number(sure), knows_piece: form.querySelector("[name=known]").checked,
        seconds_heard: sound.seconds, ticket: sound.ticket, liking: rated("liking"), classical: rated("classical"),
      });
    },
  });
  const rated = (name) => Number(chosen(form, name)) || null;
  const sound = player({
    least: study.least_heard + 0.01, // the server measures too, and a little later
    onHeard: () => {
      answer.disabled = false;
      hint.hidden = true;
      announce("You can answer now");
    },
    onTrouble: form.complain,
  });
  form.querySelector("h1").after(sound.element, hint, answer);
  const told = isPractice ? make("p", {}, "This one is for practice: it is not kept.") : null;
  if (told) form.querySelector("h1").after(told);
  form.append(lettersCheck());
  const listen = (event) => press(event, form, sound);
  document.addEventListener("keydown", listen);
  onClose(() => {
    document.removeEventListener("keydown", listen);
    sound.close();
  });
  return form;
}

function ratings(words) {
  const asked = ["liking", "classical"].filter((name) => words[name]);
  if (!asked.length) return null;
  return make("details", {}, make("summary", {}, "If you like: two ratings"), ...asked.map((name) => rating(name, words[name])));
}

// Whoever speaks to their computer, or strikes keys by accident, can do without letters (WCAG 2.1.4).
function lettersCheck() {
  return make("label", { class: "check hint" },
    make("input", { type: "checkbox", name: "letters", checked: areLettersOn(), onchange: (event) => switchLetters(event.target.checked) }),
    make("span", {}, "Letters are keys: P play, H human, C computer, 1 to 4 how sure, K I know it. Enter goes on."));
}

function areLettersOn() {
  try {
    letters ??= localStorage.getItem(LETTERS) !== "no";
  } catch { /* a browser that keeps nothing */ }
  return letters ??= true;
}

function switchLetters(on) {
  letters = on;
  try {
    localStorage.setItem(LETTERS, on ? "yes" : "no");
  } catch { /* until the page is closed */ }
}

function press(event, form, sound) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || isTyping(event.target)) return;
  const key = event.key.toLowerCase();
  if (key === "enter" && !event.target.closest("button, summary, a, form")) form.requestSubmit();
  else if (!areLettersOn()) return;
  else if (key === "p") sound.toggle();
  else {
    const found = { h: "[value=human]", c: "[value=computer]", k: "[name=known]" }[key] ?? (/^[1-4]$/.test(key) && !event.target.closest(".seven") ? `[name=confidence][value="${key}"]` : null);
    if (found && !form.querySelector(found).matches(":disabled")) {
      form.querySelector(found).click();
      form.querySelector(found).focus();
    }
  }
}
