// The candidates of a column as cards, the best by the rules first.

import { remember } from "/page/editing/undo.js";
import { signed } from "/page/music/colours.js";
import { byId, showError, make, announce, icon } from "/page/elements.js";
import { toggleKept } from "/page/panels/history.js";
import { play, stop } from "/page/music/player.js";
import { smallRoll } from "/page/music/roll.js";
import { activeColumn, showCandidate, ranked, shownCandidate, state, emit } from "/page/state.js";

/** Create the cards of a column: `{ element, show(), showLive(number) }`. */
export function candidateCards(column) {
  const head = make("p", { class: "cards-head" });
  const list = make("div", { class: "cards", role: "list" });
  const element = make("div", { class: "candidates", hidden: true }, head, list);
  const cards = new Map();

  function show() {
    const order = ranked(column);
    element.hidden = order.length < 2;
    head.textContent = `${order.length} melodies, the best by the rules first`;
    arrange(list, order.map((candidate, place) => {
      if (!cards.has(candidate.id)) cards.set(candidate.id, createCard(column, candidate));
      refresh(cards.get(candidate.id), column, candidate, place);
      return cards.get(candidate.id);
    }));
  }

  function showLive(number) {
    if (!column.live) return;
    element.hidden = column.live.size < 2;
    head.textContent = "Composing …";
    const live = column.live.get(number);
    if (!live) return;
    let card = list.querySelector(`[data-live="${number}"]`);
    if (!card) {
      card = make("div", { class: "card", role: "listitem", data: { live: number } });
      list.append(card);
    }
    card.replaceChildren(make("span", { class: "card-line" }, `Melody ${number}`), smallRoll(live, column.expected));
  }

  return { element, show, showLive };
}

/** What a candidate is called. */
export function candidateName({ way, rewritten, number, isEdited }) {
  const name = way ?? (rewritten?.section ? `Section ${rewritten.section} rewritten, ${number}` : rewritten ? `Bars ${rewritten.first}–${rewritten.last} rewritten, ${number}` : number ? `Melody ${number}` : "Original");
  return isEdited ? `${name}, edited` : name;
}

// Reorder the cards, and keep the focus.
function arrange(list, cards) {
  if (cards.length === list.children.length && cards.every((card, at) => list.children[at] === card)) return;
  const focused = list.contains(document.activeElement) ? document.activeElement : null;
  list.replaceChildren(...cards);
  focused?.focus({ preventScroll: true });
}

function createCard(column, candidate) {
  // An edit replaces the candidate by another with its id.
  const now = () => column.candidates.find((one) => one.id === candidate.id);
  const line = make("span", { class: "card-line" }, make("span", { class: "card-name" }), make("b", { class: "card-total" }));
  const open = make("button", { type: "button", class: "card-show", onclick: () => showCandidate(column, now()) }, line);
  const sound = make("button", { type: "button", class: "icon card-play", onclick: () => toggle(column, now()) });
  const star = make("button", { type: "button", class: "icon keep", onclick: () => toggleKept(column, now()) }, icon("star"));
  const close = make("button", { type: "button", class: "icon close", onclick: () => discard(column, now()) }, icon("close"));
  return make("div", { class: "card", role: "listitem", data: { candidate: candidate.id, number: candidate.number } }, open,
    make("div", { class: "card-tools" }, sound, star, make("span", { class: "spring" }), close));
}

function refresh(element, column, candidate, place) {
  const name = candidateName(candidate);
  const isShown = column.chosen === candidate.id, isPlaying = isShown && state.playing && activeColumn() === column;
  element.classList.toggle("shown", isShown);
  element.querySelector(".card-name").textContent = name;
  if (element.melody !== candidate.melody) {
    element.melody = candidate.melody;
    element.querySelector("svg.small")?.remove();
    element.querySelector(".card-show").append(smallRoll(candidate, candidate.melody.length));
  }
  element.querySelector(".card-total").textContent = candidate.verdict ? signed(candidate.verdict.total) : "";
  const open = element.querySelector(".card-show");
  open.setAttribute("aria-pressed", String(isShown));
  open.setAttribute("aria-label", `Show ${name.toLowerCase()}, place ${place + 1}${candidate.verdict ? `, rules ${signed(candidate.verdict.total)}` : ""}`);
  const [sound, star, close] = element.querySelectorAll(".card-tools button");
  if (sound.dataset.playing !== String(isPlaying)) {
    sound.dataset.playing = String(isPlaying);
    sound.replaceChildren(icon(isPlaying ? "stop" : "play"));
  }
  sound.setAttribute("aria-label", `${isPlaying ? "Stop" : "Play"} ${name.toLowerCase()}`);
  star.setAttribute("aria-label", `Keep ${name.toLowerCase()}`);
  star.setAttribute("aria-pressed", String(candidate.kept));
  close.setAttribute("aria-label", `Discard ${name.toLowerCase()}`);
}

function toggle(column, candidate) {
  const isPlaying = state.playing && column.chosen === candidate.id && activeColumn() === column;
  stop();
  if (isPlaying) return;
  showCandidate(column, candidate);
  play(column, { expressive: byId("expressive").checked }).catch((error) => showError("compose-error", error));
}

function discard(column, candidate) {
  if (column.chosen === candidate.id) stop();
  column.candidates = column.candidates.filter((one) => one !== candidate);
  if (!shownCandidate(column)) showCandidate(column, ranked(column)[0]);
  emit("columns");
  remember("Discard a melody");
  announce("Discarded.");
}
