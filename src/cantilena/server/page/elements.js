// Create and find elements. Text is always inserted as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";

/** Return the element with an id. */
export const byId = (id) => document.getElementById(id);

/** Create an element: `make("button", { class: "x", onclick: f, data: { note: 1 } }, "text", child)`. */
export function make(tag, properties = {}, ...children) {
  return build(document.createElement(tag), properties, children);
}

/** Create an SVG element; arguments as for `make`. */
export function draw(tag, properties = {}, ...children) {
  return build(document.createElementNS(SVG, tag), properties, children);
}

/** Create one of the icons of the page, such as `icon("play")`. */
export function icon(name) {
  return draw("svg", { "aria-hidden": "true" }, draw("use", { href: `#i-${name}` }));
}

function build(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Return a function that calls `call` once, after it has not been called for a while. */
export function debounced(call, milliseconds) {
  let timer = 0;
  return (...parameters) => {
    clearTimeout(timer);
    timer = setTimeout(() => call(...parameters), milliseconds);
  };
}

/**
 * Follow a pointer that went down on an element: calls `move(event, hasMoved)` as it moves, `hasMoved` once it is further
 * away than a distance in pixels, and `end(event, hasMoved)` when it goes up or is cancelled.
 */
export function followPointer(element, event, { distance, move, end }) {
  let hasMoved = false;
  const moved = (now) => {
    hasMoved ||= Math.hypot(now.clientX - event.clientX, now.clientY - event.clientY) > distance;
    move(now, hasMoved);
  };
  const listeners = { pointermove: moved, pointerup: ended, pointercancel: ended };
  function ended(now) {
    for (const [name, listener] of Object.entries(listeners)) element.removeEventListener(name, listener);
    end(now, hasMoved);
  }
  element.setPointerCapture(event.pointerId);
  for (const [name, listener] of Object.entries(listeners)) element.addEventListener(name, listener);
}

/** Announce a text to screen readers. */
export function announce(text) {
  const region = byId("announcement");
  region.textContent = "";
  requestAnimationFrame(() => { region.textContent = text; });
}

/** Show an error in an element; without an error, hide the element. */
export function showError(id, error = null) {
  const element = byId(id);
  element.hidden = !error;
  element.textContent = error ? errorText(error) : "";
}

function errorText(error) {
  const parts = [error.message, error.hint].filter(Boolean).map((part) => part[0].toUpperCase() + part.slice(1));
  return parts.map((part) => (/[.!?…]$/.test(part) ? part : `${part}.`)).join(" ");
}

/** Return whether the target of an event is a field for text, where letters are not shortcuts. */
export function isTyping(target) {
  return target instanceof Element
    && target.closest("textarea, select, input:not([type=checkbox]):not([type=radio]):not([type=range])") !== null;
}
