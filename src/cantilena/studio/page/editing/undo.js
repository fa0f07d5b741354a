// Undo and redo: the state of the page after each change of the music, up to 200 of them.

import { announce, byId, isTyping } from "/page/elements.js";
import { stop } from "/page/music/player.js";
import { emit, on, state } from "/page/state.js";

const MOST = 200, TOGETHER = 700;
let steps = [], at = -1, lastKind = "", lastTime = 0;

/** What is restored: settings, columns and candidates as they are now. */
export function snapshot(label) {
  const columns = state.columns.map(({ title, model, note, settings, candidates, chosen, tick, selection, numbers }) => ({
    title, model, note, settings, chosen, tick, selection, numbers, candidates: candidates.map((candidate) => ({ ...candidate })),
  }));
  return { label, settings: { ...state.settings }, columns, active: state.active };
}

/** Remember the state after a change; changes of one `kind` that follow each other quickly are undone together. */
export function remember(label, kind = "") {
  const now = performance.now(), isTogether = kind && kind === lastKind && now - lastTime < TOGETHER && at > 0;
  [lastKind, lastTime] = [kind, now];
  steps = steps.slice(0, isTogether ? at : at + 1);
  steps.push(snapshot(label));
  if (steps.length > MOST + 1) steps.shift();
  at = steps.length - 1;
  emit("remembered");
}

/** The steps and the place among them, to be saved. */
export const remembered = () => ({ steps, at });

/** Take over steps that were saved, and show the present one. */
export function recall(saved) {
  [steps, at, lastKind] = [saved.steps, Math.min(saved.at, saved.steps.length - 1), ""];
  if (at >= 0) show(steps[at]);
  emit("remembered");
}

/** Forget all steps. */
export function forget() {
  [steps, at, lastKind] = [[], -1, ""];
  emit("remembered");
}

function go(step) {
  if (state.busy || at + step < 0 || at + step >= steps.length) return;
  const label = steps[step < 0 ? at : at + 1].label;
  at += step;
  lastKind = "";
  show(steps[at]);
  announce(`${step < 0 ? "Undone" : "Redone"}: ${label}.`);
  emit("remembered");
}

function show({ settings, columns, active }) {
  stop();
  state.settings = { ...settings };
  state.columns = columns.map((column) => ({ ...column, candidates: column.candidates.map((candidate) => ({ ...candidate })) }));
  state.active = Math.min(active, Math.max(state.columns.length - 1, 0));
  state.composed ||= state.columns.length > 0;
  emit("settings");
  emit("rules");
  emit("columns");
  for (const column of state.columns) emit("shown", column);
  emit("opened");
}

/** Undo the last change. */
export const undo = () => go(-1);

/** Do it again. */
export const redo = () => go(1);

/** Set up the buttons and Ctrl+Z, Ctrl+Shift+Z, Ctrl+Y. */
export function initUndo() {
  byId("undo").addEventListener("click", undo);
  byId("redo").addEventListener("click", redo);
  addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || isTyping(event.target) || document.querySelector("dialog[open]")) return;
    const key = event.key.toLowerCase();
    if (key !== "z" && key !== "y") return;
    event.preventDefault();
    if (key === "y" || event.shiftKey) redo();
    else undo();
  });
  on("remembered busy", () => {
    byId("undo").disabled = state.busy || at < 1;
    byId("redo").disabled = state.busy || at >= steps.length - 1;
    byId("undo").title = at > 0 ? `Undo: ${steps[at].label}` : "Nothing to undo";
    byId("redo").title = at < steps.length - 1 ? `Redo: ${steps[at + 1].label}` : "Nothing to redo";
  });
}
