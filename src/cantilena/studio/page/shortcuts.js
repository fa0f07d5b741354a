// Keyboard shortcuts, except those of the piano: play, cursor, bars, melodies.

import { pressCompose } from "/page/compose.js";
import { byId, isTyping } from "/page/elements.js";
import { barAt, barsOf, noteAt } from "/page/music/music.js";
import { stop } from "/page/music/player.js";
import { activeColumn, showCandidate, moveCursor, ranked, selectBars, shownCandidate, state } from "/page/state.js";

/** Set up the shortcuts that the help lists. */
export function initShortcuts() {
  addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "Enter") {
      event.preventDefault();
      pressCompose();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || document.querySelector("dialog[open]")) return;
    const target = event.target instanceof Element ? event.target : document.body;
    if (event.key === "?") byId("help").showModal();
    else if (event.key === "Escape") stopAndClear();
    else if (event.key === " ") {
      if (target.closest("button, input, summary, a")) return;
      byId("play").click();
    } else if (target.closest("input, summary, [role=tab]") || !navigate(event)) return;
    event.preventDefault();
  });
}

function stopAndClear() {
  stop();
  if (activeColumn()) selectBars(activeColumn(), null);
}

function navigate({ key, shiftKey }) {
  const column = activeColumn(), candidate = shownCandidate(column);
  if (!candidate) return false;
  const { melody } = candidate;
  const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
  if (step && shiftKey) extendSelection(column, melody, step);
  else if (step) moveCursor(column, nextNote(melody, column.tick, step));
  else if (key === "Home") moveCursor(column, 0);
  else if (key === "End") moveCursor(column, melody.notes.at(-1)?.onset ?? 0);
  else if (key === "ArrowUp" || key === "ArrowDown") {
    const order = ranked(column), at = order.indexOf(candidate) + (key === "ArrowDown" ? 1 : -1);
    if (!order[at]) return false;
    if (state.playing) stop();
    showCandidate(column, order[at]);
  } else return false;
  return true;
}

function nextNote(melody, tick, step) {
  const number = noteAt(melody, tick), note = melody.notes[number];
  const target = step < 0 && note && tick > note.onset ? number : number + step;
  return melody.notes[Math.min(Math.max(target, 0), melody.notes.length - 1)]?.onset ?? 0;
}

function extendSelection(column, melody, step) {
  const here = barAt(melody, column.tick).number, { selection } = column;
  if (!selection) {
    selectBars(column, { first: here, last: here });
    return;
  }
  const numbers = barsOf(melody).map((bar) => bar.number);
  const last = Math.min(Math.max(selection.last + step, numbers[0]), numbers.at(-1));
  selectBars(column, last < selection.first ? null : { first: selection.first, last });
}
