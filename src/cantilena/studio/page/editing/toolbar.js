// The toolbar of the editor below the piano roll, and its keys.

import { isTyping, make } from "/page/elements.js";
import { COMMANDS, hasClip, lock, locksText, numbersOf, updateSoon } from "/page/editing/commands.js";
import { rewriteRest } from "/page/compose.js";
import { activeColumn, emit, on, pickNotes, shownCandidate, state } from "/page/state.js";

const GROUPS = [
  ["Notes", [["all", "All", "Select all notes (Ctrl+A)"], ["delete", "Delete", "Delete notes (Delete)"], ["insert", "Insert", "Insert a note at the cursor (Insert)"], ["split", "Split", "Split notes at the cursor, or in the middle (/)"]]],
  ["Pitch", [["up", "▲", "A step up (↑)"], ["down", "▼", "A step down (↓)"], ["semitone-up", "♯", "A semitone up (Alt+↑)"], ["semitone-down", "♭", "A semitone down (Alt+↓)"], ["octave-up", "8va", "An octave up (Shift+↑)"], ["octave-down", "8vb", "An octave down (Shift+↓)"], ["into-key", "Into key", "Move notes into the key"]]],
  ["Time", [["earlier", "◀", "A sixteenth earlier (←)"], ["later", "▶", "A sixteenth later (→)"], ["shorter", "−", "A sixteenth shorter (,)"], ["longer", "+", "A sixteenth longer (.)"]]],
  ["Clipboard", [["copy", "Copy", "Copy notes (Ctrl+C)"], ["cut", "Cut", "Cut notes (Ctrl+X)"], ["paste", "Paste", "Paste notes at the selection or the cursor (Ctrl+V)"]]],
];
const LOCKS = [["notes", "Notes", "A rewrite keeps the selected notes as they are"], ["rhythm", "Rhythm", "A rewrite keeps their rhythm, and changes their pitches"], ["contour", "Contour", "A rewrite keeps their rhythm, and whether each is higher or lower than the one before"], ["", "Unlock", "A rewrite may change the selected notes"]];
const KEYS = { Delete: "delete", Backspace: "delete", Insert: "insert", "/": "split", ",": "shorter", ".": "longer" };
const ARROWS = { ArrowUp: ["up", "octave-up", "semitone-up"], ArrowDown: ["down", "octave-down", "semitone-down"], ArrowLeft: ["earlier"], ArrowRight: ["later"] };
const WITH_CTRL = { a: "all", c: "copy", x: "cut", v: "paste" };

/** Create the toolbar of a column: `{ element, update() }`. */
export function editToolbar(column) {
  const buttons = [];
  const button = (call, label, title, needs) => {
    const made = make("button", { type: "button", title, "aria-label": title, onclick: () => call() }, label);
    buttons.push({ made, needs });
    return made;
  };
  const groups = GROUPS.map(([name, commands]) => make("div", { class: "edit-group", role: "group", "aria-label": name }, ...commands.map(([command, label, title]) => {
    const made = button(() => COMMANDS[command](column), label, title, { all: "none", insert: "none", paste: "clip" }[command] ?? "notes");
    made.dataset.command = command;
    return made;
  })));
  const locks = make("div", { class: "edit-group", role: "group", "aria-label": "Lock" }, make("span", { class: "soft", "aria-hidden": "true" }, "Lock"),
    ...LOCKS.map(([kind, label, title]) => {
      const made = button(() => lock(column, kind), label, title, "notes");
      made.dataset.lock = kind;
      return made;
    }));
  const rest = make("button", { type: "button", class: "rewrite", onclick: () => rewriteRest(column) }, "Rewrite the rest");
  const facts = make("p", { class: "edit-facts soft", "aria-live": "off" });
  const element = make("div", { class: "edit-bar", role: "toolbar", "aria-label": "Edit notes", hidden: true }, ...groups, locks, rest, facts);
  return {
    element,
    update() {
      const candidate = shownCandidate(column), numbers = numbersOf(column);
      element.hidden = !state.editing || !candidate;
      for (const { made, needs } of buttons) made.disabled = !candidate || state.busy || (needs === "notes" && !numbers.length) || (needs === "clip" && !hasClip());
      const locked = locksText(candidate);
      rest.hidden = !locked;
      rest.disabled = state.busy;
      facts.textContent = [numbers.length ? `${numbers.length} of ${candidate.melody.notes.length} notes selected` : "Click a note, or drag around several; double-click to insert one", locked].filter(Boolean).join(" · ");
    },
  };
}

/** Switch the editor on or off. */
export function setEditing(isOn) {
  state.editing = isOn;
  for (const column of state.columns) if (!isOn) pickNotes(column, []);
  emit("editing");
}

/** Handle a key while the editor is on; returns whether it was one of its. */
export function editorKey(event) {
  const column = activeColumn(), candidate = shownCandidate(column);
  if (!state.editing || !candidate || state.busy) return false;
  const hasNotes = Boolean(column.numbers?.length);
  if (event.ctrlKey || event.metaKey) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key], command = WITH_CTRL[event.key.toLowerCase()];
    if (step) pickNext(column, step);
    else if (command && !event.shiftKey && !event.altKey) COMMANDS[command](column);
    else return false;
    return true;
  }
  if (event.key === "Enter") {
    pickNext(column, 0);
    return true;
  }
  if (event.key === "Escape" && hasNotes) {
    pickNotes(column, []);
    return true;
  }
  if (KEYS[event.key] && (hasNotes || event.key === "Insert")) {
    COMMANDS[KEYS[event.key]](column);
    return true;
  }
  const arrow = ARROWS[event.key];
  if (!arrow || !hasNotes) return false;
  if (event.shiftKey && arrow.length === 1) extend(column, event.key === "ArrowRight" ? 1 : -1);
  else COMMANDS[arrow[arrow.length === 1 ? 0 : event.shiftKey ? 1 : event.altKey ? 2 : 0]](column);
  return true;
}

// Select the next or previous note; with 0 the one at the cursor.
function pickNext(column, step) {
  const { melody } = shownCandidate(column), { numbers = [] } = column;
  const at = numbers.length ? (step > 0 ? Math.max(...numbers) : Math.min(...numbers)) : Math.max(melody.notes.findLastIndex((note) => note.onset <= column.tick), 0);
  const number = Math.min(Math.max(at + (numbers.length ? step : 0), 0), melody.notes.length - 1);
  if (number < 0) return;
  column.tick = melody.notes[number].onset;
  pickNotes(column, [number]);
  emit("tick", column);
}

function extend(column, step) {
  const { melody } = shownCandidate(column), { numbers } = column;
  const next = step > 0 ? Math.max(...numbers) + 1 : Math.min(...numbers) - 1;
  if (next >= 0 && next < melody.notes.length) pickNotes(column, [...numbers, next]);
}

/** Set up what follows an edit, and the keys that a text field does not take. */
export function initEditor() {
  on("edited", updateSoon);
  addEventListener("keydown", (event) => {
    if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "e") setEditing(!state.editing);
    else {
      const target = event.target instanceof Element ? event.target : document.body;
      if (target.closest("[role=tab], input, summary, .keys") || (event.key === "Enter" && target.closest("button, a")) || !editorKey(event)) return;
    }
    event.preventDefault();
    event.stopImmediatePropagation();
  }, { capture: true });
}
