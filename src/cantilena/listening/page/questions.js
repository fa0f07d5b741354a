// Parts of questions: choices as tiles, and a form that is sent once.

import { make } from "/page/elements.js";

/** A choice among tiles: `choices` are pairs of value and words. */
export function tiles(name, legend, choices, kind = "", described = "") {
  const labels = choices.map(([value, words]) =>
    make("label", {}, make("input", { type: "radio", name, value }), make("span", {}, words)));
  return make("fieldset", { "aria-describedby": described || null }, make("legend", {}, legend), make("div", { class: `tiles ${kind}` }, ...labels));
}

/** A rating from 1 to 7, which may be left out. */
export function rating(name, legend) {
  const choices = [1, 2, 3, 4, 5, 6, 7].map((value) => [value, String(value)]);
  const made = tiles(name, legend, choices, "seven", `ends-${name}`);
  made.append(make("p", { class: "ends", id: `ends-${name}` }, make("span", {}, "1 not at all"), make("span", {}, "7 very")));
  return made;
}

/** What was chosen of a name, or nothing. */
export const chosen = (form, name) => form.querySelector(`[name="${name}"]:checked`)?.value;

/** A card that asks for something: `onSend` gives its words for what is missing, or sends and gives nothing. */
export function card(title, parts, { send, onSend }) {
  const button = send ? make("button", { class: "big", type: "submit" }, send) : null;
  const error = make("p", { class: "error", role: "alert", hidden: true });
  const form = make("form", { class: "card", novalidate: true, autocomplete: "off" }, make("h1", { tabindex: "-1" }, title), ...parts, error, button);
  form.complain = (wrong) => {
    error.hidden = !wrong;
    error.textContent = wrong ? sentences(wrong) : "";
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.disabled) return;
    button.disabled = true;
    form.complain(null);
    try {
      const missing = await onSend(form);
      if (missing) form.complain({ message: missing });
    } catch (wrong) {
      form.complain(wrong);
    }
    button.disabled = false;
  });
  return form;
}

const sentences = ({ message, hint }) => [message, hint].filter(Boolean).map((text) => `${text[0].toUpperCase()}${text.slice(1).replace(/[.]$/, "")}.`).join(" ");
