// The candidates of a column as cards, those that the rules like best first.

import { signed } from "/page/music/colours.js";
import { byId, complain, make, say, sign } from "/page/elements.js";
import { keep } from "/page/panels/history.js";
import { play, stop } from "/page/music/player.js";
import { smallRoll } from "/page/music/roll.js";
import { activeColumn, choose, ranked, shownIn, state, tell } from "/page/state.js";

/** The cards of a column: `{ element, show(), hear(number) }`. */
export function cardsOf(column) {
  const head = make("p", { class: "cards-head" });
  const list = make("div", { class: "cards", role: "list" });
  const element = make("div", { class: "candidates", hidden: true }, head, list);
  const made = new Map();

  function show() {
    const order = ranked(column);
    element.hidden = order.length < 2;
    head.textContent = `${order.length} melodies, those first that the rules like best`;
    const wanted = order.map((candidate, place) => {
      if (!made.has(candidate.id)) made.set(candidate.id, card(column, candidate));
      refresh(made.get(candidate.id), column, candidate, place);
      return made.get(candidate.id);
    });
    arrange(list, wanted);
  }

  function hear(number) {
    if (!column.live) return;
    element.hidden = column.live.size < 2;
    head.textContent = "Being composed …";
    const live = column.live.get(number);
    if (!live) return;
    let place = list.querySelector(`[data-live="${number}"]`);
    if (!place) {
      place = make("div", { class: "card", role: "listitem", data: { live: number } });
      list.append(place);
    }
    place.replaceChildren(make("span", { class: "card-line" }, `Number ${number}`), smallRoll(live, column.expected));
  }

  return { element, show, hear };
}

// Put cards in order without losing who has the focus.
function arrange(list, wanted) {
  if (wanted.length === list.children.length && wanted.every((one, at) => list.children[at] === one)) return;
  const focused = list.contains(document.activeElement) ? document.activeElement : null;
  list.replaceChildren(...wanted);
  focused?.focus({ preventScroll: true });
}

function card(column, candidate) {
  const line = make("span", { class: "card-line" }, make("span", { class: "card-name" }), make("b", { class: "card-worth" }));
  const open = make("button", { type: "button", class: "card-show", onclick: () => choose(column, candidate) }, line, smallRoll(candidate, candidate.melody.length));
  const sound = make("button", { type: "button", class: "icon card-play", onclick: () => toggle(column, candidate) });
  const star = make("button", { type: "button", class: "icon keep", onclick: () => keep(column, candidate) }, sign("star"));
  const away = make("button", { type: "button", class: "icon shut", onclick: () => discard(column, candidate) }, sign("shut"));
  return make("div", { class: "card", role: "listitem", data: { candidate: candidate.id, number: candidate.number } }, open,
    make("div", { class: "card-tools" }, sound, star, make("span", { class: "spring" }), away));
}

function refresh(element, column, candidate, place) {
  const name = candidate.way ? candidate.way : candidate.rewritten ? `Bars ${candidate.rewritten.first}–${candidate.rewritten.last} anew, ${candidate.number}` : candidate.number ? `Number ${candidate.number}` : "As it was";
  const isShown = column.chosen === candidate.id, isPlaying = isShown && state.playing && activeColumn() === column;
  element.classList.toggle("shown", isShown);
  element.querySelector(".card-name").textContent = name;
  element.querySelector(".card-worth").textContent = candidate.verdict ? signed(candidate.verdict.total) : "";
  const open = element.querySelector(".card-show");
  open.setAttribute("aria-pressed", String(isShown));
  open.setAttribute("aria-label", `Show ${name.toLowerCase()}, place ${place + 1}${candidate.verdict ? `, rules ${signed(candidate.verdict.total)}` : ""}`);
  const [sound, star, away] = element.querySelectorAll(".card-tools button");
  if (sound.dataset.playing !== String(isPlaying)) {
    sound.dataset.playing = String(isPlaying);
    sound.replaceChildren(sign(isPlaying ? "stop" : "play"));
  }
  sound.setAttribute("aria-label", `${isPlaying ? "Stop" : "Play"} ${name.toLowerCase()}`);
  star.setAttribute("aria-label", `Keep ${name.toLowerCase()}`);
  star.setAttribute("aria-pressed", String(candidate.kept));
  away.setAttribute("aria-label", `Discard ${name.toLowerCase()}`);
}

function toggle(column, candidate) {
  const isPlaying = state.playing && column.chosen === candidate.id && activeColumn() === column;
  stop();
  if (isPlaying) return;
  choose(column, candidate);
  play(column, { expressive: byId("expressive").checked }).catch((error) => complain("compose-error", error));
}

function discard(column, candidate) {
  if (column.chosen === candidate.id) stop();
  column.candidates = column.candidates.filter((one) => one !== candidate);
  if (!shownIn(column)) choose(column, ranked(column)[0]);
  tell("columns");
  say("Discarded.");
}
