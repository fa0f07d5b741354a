// Gestures on the score while it is edited: select notes by click, Shift or dragging over them, and move them.

const DRAG = 5;

/** Begin a gesture at a pointer that goes down. */
export function startScoreGesture(score, event) {
  if (event.button) return;
  const number = score.noteAt(event), { notes } = score.melody, [x, y] = [event.clientX, event.clientY];
  const from = score.placeOf(event), wasChosen = score.numbers.includes(number), before = event.shiftKey ? score.numbers : [];
  if (number >= 0 && event.shiftKey && before.length) score.onNotes(numbersBetween(Math.min(...before, number), Math.max(...before, number)));
  else if (number >= 0 && !wasChosen) score.onNotes([number]);
  let hasMoved = false, change = null;
  const moved = (now) => {
    hasMoved ||= Math.hypot(now.clientX - x, now.clientY - y) > DRAG;
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
  const ended = (now) => {
    for (const [name, listener] of [["pointermove", moved], ["pointerup", ended], ["pointercancel", ended]]) score.element.removeEventListener(name, listener);
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
  score.element.setPointerCapture(event.pointerId);
  score.element.addEventListener("pointermove", moved);
  score.element.addEventListener("pointerup", ended);
  score.element.addEventListener("pointercancel", ended);
}

const numbersBetween = (first, last) => Array.from({ length: last - first + 1 }, (_, step) => first + step);
