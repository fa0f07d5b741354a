// Gestures on the piano roll while it is edited: select notes by click, Shift or a frame, move them, and resize them.

import { draw, followPointer } from "/page/elements.js";
import { GRID } from "/page/editing/edits.js";

const DRAG = 4, EDGE = { mouse: 7, touch: 14, pen: 9 };
const onGrid = (ticks) => Math.round(ticks / GRID) * GRID;

/** Begin a gesture at a pointer that goes down. */
export function startGesture(roll, event) {
  if (!roll.candidate || event.button) return;
  const group = event.target.closest(".note");
  if (group) onNote(roll, event, group);
  else onEmptyPlace(roll, event);
}

function onNote(roll, event, group) {
  const number = Number(group.dataset.note), wasChosen = roll.numbers.includes(number);
  const box = group.querySelector("rect").getBoundingClientRect();
  const isResized = box.right - event.clientX < Math.min(EDGE[event.pointerType] ?? 7, box.width / 2.5);
  if (event.shiftKey) roll.onPick(wasChosen ? roll.numbers.filter((one) => one !== number) : [...roll.numbers, number]);
  else if (!wasChosen) roll.onPick([number]);
  if (!roll.numbers.includes(number)) return;
  const from = roll.placeOf(event), note = roll.candidate.melody.notes[number];
  let change = null;
  const move = (now, hasMoved) => {
    if (!hasMoved) return;
    const here = roll.placeOf(now), ticks = here.tick - from.tick;
    change = isResized
      ? { longer: Math.max(onGrid(note.duration + ticks), GRID) - note.duration }
      : { ticks: onGrid(note.onset + ticks) - note.onset, semitones: here.pitch - from.pitch };
    roll.preview(change);
  };
  const end = ({ type }, hasMoved) => {
    roll.preview(null);
    if (!hasMoved) {
      if (!event.shiftKey && wasChosen && roll.numbers.length > 1) roll.onPick([number]);
      roll.onMove(note.onset);
    } else if (type !== "pointercancel" && change && Object.values(change).some(Boolean)) roll.onChange(isResized ? "resize" : "move", change);
  };
  followPointer(roll.element, event, { distance: DRAG, move, end });
}

function onEmptyPlace(roll, event) {
  const from = roll.placeOf(event), box = roll.element.getBoundingClientRect(), scale = roll.width / box.width;
  const at = ({ clientX, clientY }) => [(clientX - box.left) * scale, (clientY - box.top) * (roll.height / box.height)];
  const [x, y] = at(event), frame = draw("rect", { class: "frame", x, y, width: 0, height: 0 }), before = event.shiftKey ? roll.numbers : [];
  const move = (now, hasMoved) => {
    if (!hasMoved) return;
    const [right, bottom] = at(now);
    for (const [name, value] of [["x", Math.min(x, right)], ["y", Math.min(y, bottom)], ["width", Math.abs(right - x)], ["height", Math.abs(bottom - y)]]) frame.setAttribute(name, value);
    if (!frame.isConnected) roll.element.append(frame);
    const here = roll.placeOf(now), [first, last] = [from.tick, here.tick].sort((a, b) => a - b), [low, high] = [from.pitch, here.pitch].sort((a, b) => a - b);
    const inside = roll.candidate.melody.notes.flatMap((note, number) => (note.onset < last && note.onset + note.duration > first && note.pitches.some((pitch) => pitch >= low && pitch <= high) ? [number] : []));
    roll.onPick([...new Set([...before, ...inside])]);
  };
  const end = (_, hasMoved) => {
    frame.remove();
    if (hasMoved) return;
    if (!event.shiftKey) roll.onPick([]);
    roll.onMove(Math.floor(from.tick / GRID) * GRID);
  };
  followPointer(roll.element, event, { distance: DRAG, move, end });
}
