// Gestures on the score while it is edited: select notes by click, Shift or dragging over them, and move them.

import { followPointer } from "/page/elements.js";

const DRAG = 5;

/** Begin a gesture at a pointer that goes down. */
export function startScoreGesture(score, event) {
  if (event.button) return;
  const number = score.noteAt(event), { notes } = score.melody, [x, y] = [event.clientX, event.clientY];
  const from = score.placeOf(event), wasChosen = score.numbers.includes(number), before = event.shiftKey ? score.numbers : [];
  if (number >= 0 && event.shiftKey && before.length) score.onNotes(numbersBetween(Math.min(...before, number), Math.max(...before, number)));
  else if (number >= 0 && !wasChosen) score.onNotes([number]);
  let change = null;
  const move = (now, hasMoved) => {
    if (!hasMoved) return;
    if (number < 0) {
      const [first, last] = [from, score.placeOf(now)].sort((a, b) => a - b);
      score.onNotes([...new Set([...before, ...notes.flatMap((note, at) => (note.onset >= first && note.onset < Math.max(last, first + 1) ? [at] : []))])]);
      return;
    }
    // A move is up and down, or to the side, whichever is longer.
    const isVertical = Math.abs(now.clientY - y) >= Math.abs(now.clientX - x);
    change = isVertical ? { steps: Math.round((y - now.clientY) / score.stepHeight) } : { ticks: score.placeOf(now) - notes[number].onset };
    score.preview(change.steps ?? 0);
  };
  const end = (now, hasMoved) => {
    score.preview(0);
    if (now.type === "pointercancel") return;
    if (hasMoved && change && (change.steps || change.ticks)) score.onChange("move", change);
    if (hasMoved) return;
    if (number >= 0) score.onTick(notes[number].onset);
    else {
      if (!event.shiftKey) score.onNotes([]);
      score.onTick(from);
    }
  };
  followPointer(score.element, event, { distance: DRAG, move, end });
}

const numbersBetween = (first, last) => Array.from({ length: last - first + 1 }, (_, step) => first + step);
