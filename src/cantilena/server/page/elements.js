// Making and finding elements; text from people goes in as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";

/** The element of an id. */
export const byId = (id) => document.getElementById(id);

/** A new element: `make("button", { class: "x", onclick: f, data: { note: 1 } }, "text", child)`. */
export function make(tag, properties = {}, ...children) {
  return filled(document.createElement(tag), properties, children);
}

/** The same in a drawing. */
export function draw(tag, properties = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), properties, children);
}

/** One of the page's own signs, such as `sign("play")`. */
export function sign(name) {
  return draw("svg", { "aria-hidden": "true" }, draw("use", { href: `#i-${name}` }));
}

function filled(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** The same function, but called once after calls have ceased for a while. */
export function settled(call, milliseconds) {
  let timer = 0;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => call(...given), milliseconds);
  };
}

/** Say something to those who listen to the page. */
export function say(text) {
  const place = byId("said");
  place.textContent = "";
  requestAnimationFrame(() => { place.textContent = text; });
}

/** Show or hide a line that says what went wrong. */
export function complain(id, error = null) {
  const place = byId(id);
  place.hidden = !error;
  place.textContent = error ? sentence(error) : "";
}

function sentence(error) {
  const text = [error.message, error.hint].filter(Boolean).map((part) => part[0].toUpperCase() + part.slice(1));
  return text.map((part) => (/[.!?…]$/.test(part) ? part : `${part}.`)).join(" ");
}

/** Whether somebody is typing, so that letters are not shortcuts. */
export function isTyping(target) {
  return target instanceof Element
    && target.closest("textarea, select, input:not([type=checkbox]):not([type=radio]):not([type=range])") !== null;
}
