// A tuning in the list: its progress, curves and buttons.

import { curve } from "/page/panels/curves.js";
import { make } from "/page/elements.js";

const STATES = { waiting: "is waiting", running: "is being trained", done: "is ready", cancelled: "was cancelled", failed: "failed" };
const MEANING = "Reward: how well it follows the rules. Diversity: how varied its melodies are. Distance: how far it has moved away from the plain model.";

/** Whether a job has not ended. */
export const isOpen = (job) => ["waiting", "running"].includes(job.state);

/** A row; its buttons are never replaced, so that a click in progress is not lost. */
export class JobRow {
  constructor({ onCancel, onUse, onDelete }) {
    const button = (label, action) => make("button", { type: "button", hidden: true, onclick: () => action(this.job) }, label);
    this.job = null;
    this.text = make("span");
    this.cancel = button("Cancel", onCancel);
    this.use = button("Compose with it", onUse);
    this.remove = button("Delete", onDelete);
    this.progress = make("progress", { max: 1, value: 0 });
    this.error = make("p", { class: "error" });
    this.curves = make("div", { class: "curves" });
    this.meaning = make("p", { class: "hint" }, MEANING);
    this.element = make("li", {}, make("div", { class: "job-head" }, this.text, this.cancel, this.use, this.remove), this.progress, this.error, this.curves, this.meaning);
  }

  /** Show the state of a job; `isAvailable` says whether its model can be used. */
  show(job, { isAvailable }) {
    this.job = job;
    const title = job.title || "A tuning", { curves } = job, hasCurves = curves?.update?.length > 0;
    Object.assign(this.element.dataset, { job: job.id, state: job.state });
    this.text.replaceChildren(make("b", {}, title), ` ${STATES[job.state] ?? job.state}${detail(job)}`);
    this.cancel.setAttribute("aria-label", `Cancel ${title}`);
    this.use.setAttribute("aria-label", `Compose with ${title}`);
    this.remove.setAttribute("aria-label", `Delete ${title}`);
    this.progress.setAttribute("aria-label", `Progress of ${title}`);
    this.progress.value = job.progress ?? 0;
    this.progress.hidden = this.cancel.hidden = !isOpen(job);
    this.use.hidden = this.remove.hidden = !isAvailable;
    this.error.hidden = !job.error;
    this.error.textContent = job.error ?? "";
    this.curves.hidden = this.meaning.hidden = !hasCurves;
    if (hasCurves) this.curves.replaceChildren(curve("Reward", curves.reward), curve("Diversity", curves.diversity), curve("Distance", curves.kl));
  }
}

function detail(job) {
  if (job.state === "waiting") return job.place > 0 ? ` (number ${job.place})` : "";
  return job.state === "running" && job.seconds_left !== null ? `, about ${Math.ceil(job.seconds_left)} s left` : "";
}
