// Fields for numbers: one that is not allowed is said beside its field, and nothing is composed until it is changed.

import { byId, make } from "/page/elements.js";

const wrong = new Map();

/** Check these fields while they are typed; `set(name, value)` takes values that are allowed, "" for an empty one. */
export function initNumberFields(names, { mayBeEmpty, set }) {
  for (const name of names) {
    const field = byId(name);
    const message = make("p", { class: "error", id: `${name}-error`, role: "alert", hidden: true });
    field.setAttribute("aria-describedby", [field.getAttribute("aria-describedby"), message.id].filter(Boolean).join(" "));
    field.after(message);
    field.addEventListener("input", () => {
      const problem = problemOf(field, mayBeEmpty.includes(name));
      setFieldError(name, problem);
      if (!problem) set(name, field.value === "" ? "" : Number(field.value));
    });
  }
}

/** What is wrong with the value of a field: what was given, and what is allowed; "" if nothing is. */
function problemOf(field, mayBeEmpty) {
  if (field.validity.badInput) return `That is not a number: ${allowed(field)}.`;
  if (field.value === "") return mayBeEmpty ? "" : `The field is empty: ${allowed(field)}.`;
  const value = Number(field.value);
  const isWhole = field.step.includes(".") || Number.isInteger(value);
  return isWhole && value >= Number(field.min) && value <= Number(field.max) ? "" : `${field.value} is not allowed: ${allowed(field)}.`;
}

/** The values that a field takes, in words. */
export function allowed(field) {
  const kind = field.step.includes(".") ? "number" : "whole number";
  return Number(field.max) > 1e9 ? `give a ${kind}, ${field.min} or more` : `give a ${kind} from ${field.min} to ${field.max}`;
}

/** Say beside a field what is wrong with it; "" clears the message. */
export function setFieldError(name, text) {
  if (text) wrong.set(name, text);
  else wrong.delete(name);
  if (text) byId(name).setAttribute("aria-invalid", "true");
  else byId(name).removeAttribute("aria-invalid");
  showMessage(name, text);
}

/** Say something beside a field that does not keep anybody from composing. */
export function showMessage(name, text) {
  const message = byId(`${name}-error`);
  if (message.textContent !== text) message.textContent = text;
  message.hidden = !text;
}

/** Whether the field has a value that is not allowed. */
export const isWrong = (name) => wrong.has(name);

/** Move the focus to the first field that is wrong; false if none is. */
export function focusWrongField() {
  const [name] = wrong.keys();
  if (!name) return false;
  const field = byId(name);
  for (let box = field.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
  document.querySelector("#tab-compose[aria-selected=false]")?.click();
  field.focus();
  return true;
}
