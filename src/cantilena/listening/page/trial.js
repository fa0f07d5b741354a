// One trial: a clip, and the questions about it.

import { isTyping, make, announce } from "/page/elements.js";
import { card, chosen, rating, tiles } from "/page/forms.js";
import { player } from "/page/player.js";

const STORAGE_KEY = "cantilena.letters";

let shortcuts;

/** A trial, or a practice trial, whose answer is not stored. */
export function trialCard({ study, state, put, onClose }) {
  const { words } = study, isPractice = state.stage === "practice";
  const answer = make("fieldset", { disabled: true, "aria-label": "Your answer" },
    tiles("answer", words.question, [["human", "Human"], ["computer", "Computer"]], "two"),
    tiles("confidence", "How sure are you?", words.confidence.map((text, n) => [n + 1, text[0].toUpperCase() + text.slice(1)])),
    make("label", { class: "check" }, make("input", { type: "checkbox", name: "known" }), make("span", {}, words.known)),
    ratings(words.ratings));
  const hint = make("p", { class: "hint" }, `You can answer after ${study.least_heard > 0.5 ? "most" : "half"} of the clip.`);
  const form = card(isPractice ? `Practice: ${state.number + 1} of ${state.of}` : `Clip ${state.number + 1} of ${state.of}`, [], {
    submit: "Next",
    onSubmit: async () => {
      if (answer.disabled) return "Play the clip first";
      const [choice, confidence] = ["answer", "confidence"].map((name) => chosen(form, name));
      if (!choice) return "Choose human or computer";
      if (!confidence) return "Choose how sure you are";
      if (isPractice) return void await put(`/api/sitting/practice/${state.number}`);
      return void await put(`/api/sitting/answers/${state.number}`, {
        answer: choice, confidence: Number(confidence), knows_piece: form.querySelector("[name=known]").checked,
        seconds_heard: sound.seconds, ticket: sound.token, liking: ratingOf("liking"), classical: ratingOf("classical"),
      });
    },
  });
  const ratingOf = (name) => Number(chosen(form, name)) || null;
  const sound = player({
    minHeard: study.least_heard + 0.01, // the server measures from slightly later
    onHeard: () => {
      answer.disabled = false;
      hint.hidden = true;
      announce("You can answer now");
    },
    onError: form.showError,
  });
  form.querySelector("h1").after(sound.element, hint, answer);
  if (isPractice) form.querySelector("h1").after(make("p", {}, "This clip is for practice. Your answer is not stored."));
  form.append(shortcutsCheckbox());
  const onKey = (event) => handleKey(event, form, sound);
  document.addEventListener("keydown", onKey);
  onClose(() => {
    document.removeEventListener("keydown", onKey);
    sound.close();
  });
  return form;
}

function ratings(words) {
  const names = ["liking", "classical"].filter((name) => words[name]);
  if (!names.length) return null;
  return make("details", {}, make("summary", {}, "Two optional ratings"), ...names.map((name) => rating(name, words[name])));
}

// Shortcuts of single letters can be switched off, for speech input and accidental keys (WCAG 2.1.4).
function shortcutsCheckbox() {
  return make("label", { class: "check hint" },
    make("input", { type: "checkbox", name: "letters", checked: areShortcutsOn(), onchange: (event) => setShortcuts(event.target.checked) }),
    make("span", {}, "Keyboard shortcuts: P play, H human, C computer, 1 to 4 how sure, K I know it. Enter continues."));
}

function areShortcutsOn() {
  try {
    shortcuts ??= localStorage.getItem(STORAGE_KEY) !== "no";
  } catch { /* storage is disabled */ }
  return shortcuts ??= true;
}

function setShortcuts(on) {
  shortcuts = on;
  try {
    localStorage.setItem(STORAGE_KEY, on ? "yes" : "no");
  } catch { /* storage is disabled; valid until the page is closed */ }
}

function handleKey(event, form, sound) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || isTyping(event.target)) return;
  const key = event.key.toLowerCase();
  if (key === "enter" && !event.target.closest("button, summary, a, form")) form.requestSubmit();
  else if (!areShortcutsOn()) return;
  else if (key === "p") sound.toggle();
  else {
    const isConfidence = /^[1-4]$/.test(key) && !event.target.closest(".seven");
    const selector = isConfidence ? `[name=confidence][value="${key}"]` : { h: "[value=human]", c: "[value=computer]", k: "[name=known]" }[key];
    const input = selector && form.querySelector(selector);
    if (input && !input.matches(":disabled")) {
      input.click();
      input.focus();
    }
  }
}
