"use strict";

const scored = JSON.parse(document.getElementById("scored").textContent);
const ALL = -1, SVG = "http://www.w3.org/2000/svg";
const sheets = [...document.querySelectorAll(".sheet")];
const description = document.querySelector(".description");
const card = document.querySelector(".card-of-note");
const rowOf = new Map(scored.notes.map((note, row) => [String(note.note), row]));
const introduction = description.textContent;
let shown = ALL, chosen = null;

// The reward of a note by the selected rule, or by all: class, short and full number.
function verdict(note) {
  if (shown === ALL) return note.values.length ? note.total : ["", "", ""];
  const found = note.values.find(([rule]) => rule === shown);
  return found ? found.slice(1, 4) : ["", "", ""];
}

function tooltip(group, text) {
  let title = group.querySelector(":scope > title");
  if (!title) {
    title = document.createElementNS(SVG, "title");
    group.prepend(title);
  }
  title.textContent = text;
}

// A light background behind each head of the selected note.
function halo(group, isChosen) {
  group.querySelector(":scope > .halo")?.remove();
  if (!isChosen) return;
  const box = group.querySelector(".notehead").getBBox(), ground = document.createElementNS(SVG, "rect");
  const room = 130;
  const place = { x: box.x - room, y: box.y - room, width: box.width + 2 * room, height: box.height + 2 * room, rx: room };
  for (const [name, value] of Object.entries(place)) ground.setAttribute(name, String(value));
  ground.classList.add("halo");
  group.prepend(ground);
}

function paint() {
  for (const group of document.querySelectorAll(".sheet [data-note]")) {
    const row = rowOf.get(group.dataset.note);
    if (row === undefined) continue;
    const note = scored.notes[row], [kind, short, whole] = verdict(note);
    group.setAttribute("class", kind ? `note ${kind}` : "note");
    halo(group, row === chosen);
    const words = group.querySelector(".words");
    if (words) words.textContent = short;
    tooltip(group, `${note.place} ${note.name}${whole ? ` ${whole}` : ""}`);
  }
  for (const button of document.querySelectorAll(".choice button")) {
    button.setAttribute("aria-pressed", String(Number(button.dataset.rule) === shown));
  }
  description.textContent = shown === ALL ? introduction : scored.rules[shown].description;
}

function element(tag, text, ...classes) {
  const made = document.createElement(tag);
  made.textContent = text;
  made.classList.add(...classes.filter(Boolean));
  return made;
}

function choose(row) {
  chosen = row;
  for (const item of document.querySelectorAll(".notes li")) {
    item.classList.toggle("chosen", Number(item.dataset.row) === row);
  }
  card.hidden = row === null;
  if (row !== null) {
    const note = scored.notes[row];
    const which = note.note < 0 ? "Before the first note" : `${note.name}, ${note.bar ? `bar ${note.bar}` : "pickup"}, beat ${note.place.split(".")[1]}`;
    const [kind, , whole] = note.values.length ? note.total : ["", "", ""];
    card.querySelector(".which").replaceChildren(which + (whole ? ": " : ": no rewards"), element("span", whole, kind));
    const lines = note.values.flatMap(([rule, kindOf, , value, when]) => [
      element("dt", scored.rules[rule].name),
      element("dd", value, "number", kindOf),
      element("dd", scored.rules[rule].description + (when === "as it begins" ? "" : ` (${when})`), "why"),
    ]);
    card.querySelector("dl").replaceChildren(...lines);
  }
  paint();
}

// The nearest note to a click or touch, since note heads are small.
function nearest(sheet, x, y) {
  let best = null, closest = 40;
  for (const group of sheet.querySelectorAll("[data-note]")) {
    const box = group.getBoundingClientRect();
    const dx = Math.max(box.left - x, 0, x - box.right), dy = Math.max(box.top - y, 0, y - box.bottom);
    const distance = Math.hypot(dx, dy);
    if (distance < closest) [best, closest] = [group, distance];
  }
  return best && rowOf.get(best.dataset.note);
}

function bringIntoSight(row) {
  const selector = `[data-note="${scored.notes[row].note}"]`;
  const group = sheets.map((sheet) => sheet.offsetParent && sheet.querySelector(selector)).find(Boolean);
  const box = group && group.getBoundingClientRect();
  if (box && (box.top < 0 || box.bottom > innerHeight - card.offsetHeight)) group.scrollIntoView({ block: "center" });
}

function walk(by) {
  const row = Math.min(Math.max((chosen ?? -1) + by, 0), scored.notes.length - 1);
  choose(row);
  bringIntoSight(row);
}

for (const button of document.querySelectorAll(".choice button")) {
  button.addEventListener("click", () => {
    shown = Number(button.dataset.rule);
    paint();
  });
}
for (const sheet of sheets) {
  sheet.addEventListener("click", (event) => {
    const row = nearest(sheet, event.clientX, event.clientY);
    choose(row ?? null);
  });
}
for (const item of document.querySelectorAll(".notes li")) {
  item.addEventListener("click", () => {
    choose(Number(item.dataset.row));
    bringIntoSight(chosen);
  });
}
for (const button of document.querySelectorAll(".card-of-note .step")) {
  button.addEventListener("click", () => walk(Number(button.dataset.step)));
}
document.querySelector(".card-of-note .shut").addEventListener("click", () => choose(null));
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") choose(null);
  if (chosen !== null && event.key === "ArrowRight") walk(1);
  if (chosen !== null && event.key === "ArrowLeft") walk(-1);
});
paint();
