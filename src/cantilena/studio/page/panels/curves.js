// Small curves of a tuning.

import { draw, make } from "/page/elements.js";

const WIDE = 100, HIGH = 40;

/** Create a curve with its name and its last value; empty without numbers. */
export function curve(name, numbers, digits = 2) {
  const known = numbers.map((value, at) => [at, value]).filter(([, value]) => typeof value === "number");
  const newest = known.at(-1)?.[1];
  const drawing = draw("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none", role: "img", "aria-label": newest === undefined ? `${name}: no number yet` : `${name}: from ${known[0][1].toFixed(digits)} to ${newest.toFixed(digits)}` });
  if (known.length > 1) drawing.append(draw("path", { d: path(known) }));
  return make("figure", { class: "curve" }, make("figcaption", {}, make("span", {}, name), make("b", {}, newest === undefined ? "" : newest.toFixed(digits))), drawing);
}

function path(points) {
  const values = points.map(([, value]) => value), low = Math.min(...values), high = Math.max(...values);
  const [first, last] = [points[0][0], points.at(-1)[0]];
  const x = (at) => ((at - first) / Math.max(last - first, 1)) * WIDE;
  const y = (value) => HIGH - 2 - ((value - low) / (high - low || 1)) * (HIGH - 4);
  return `M${points.map(([at, value]) => `${x(at).toFixed(2)} ${y(value).toFixed(2)}`).join("L")}`;
}
