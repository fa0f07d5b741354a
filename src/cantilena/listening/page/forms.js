// Parts of forms: choices as tiles, ratings, and a card that is submitted once.

import { make } from "/page/elements.js";

/** A choice; `choices` are pairs of value and label. */
export function tiles(name, legend, choices, style = "", describedBy = "") {
  const labels = choices.map(([value, label]) =>
    make("label", {}, make("input", { type: "radio", name, value }), make("span", {}, label)));
  return make("fieldset", { "aria-describedby": describedBy || null }, make("legend", {}, legend), make("div", { class: `tiles ${style}` }, ...labels));
}

/** An optional rating from 1 to 7. */
export function rating(name, legend) {
  const choices = [1, 2, 3, 4, 5, 6, 7].map((value) => [value, String(value)]);
  const fieldset = tiles(name, legend, choices, "seven", `ends-${name}`);
  fieldset.append(make("p", { class: "ends", id: `ends-${name}` }, make("span", {}, "1 = not at all"), make("span", {}, "7 = very")));
  return fieldset;
}

/** The chosen value, or undefined. */
export const chosen = (form, name) => form.querySelector(`[name="${name}"]:checked`)?.value;

/** A card with a form; `onSubmit` returns a message about what is missing, or sends the answer and returns nothing. */
export function card(title, parts, { submit, onSubmit }) {
  const button = submit ? make("button", { class: "big", type: "submit" }, submit) : null;
  const message = make("p", { class: "error", role: "alert", hidden: true });
  const form = make("form", { class: "card", novalidate: true, autocomplete: "off" }, make("h1", { tabindex: "-1" }, title), ...parts, message, button);
  form.showError = (error) => {
    message.hidden = !error;
    message.textContent = error ? sentences(error) : "";
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.disabled) return;
    button.disabled = true;
    form.showError(null);
    try {
      const missing = await onSubmit(form);
      if (missing) form.showError({ message: missing });
    } catch (error) {
      form.showError(error);
    }
    button.disabled = false;
  });
  return form;
}

const sentences = ({ message, hint }) => [message, hint].filter(Boolean).map((text) => `${text[0].toUpperCase()}${text.slice(1).replace(/[.]$/, "")}.`).join(" ");
