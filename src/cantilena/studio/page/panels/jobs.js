// One tuning in the list: how far it is, its curves, and what can be done with it.

import { curve } from "/page/panels/curves.js";
import { make } from "/page/elements.js";

const WORDS = { waiting: "waits its turn", running: "practises", done: "is ready", cancelled: "was cancelled", failed: "failed" };
const MEANING = "Reward: how well the rules like it. Diversity: how different its figures are. Distance: how far it has gone from the plain model.";

/** Whether a job has not come to its end. */
export const isOpen = (job) => ["waiting", "running"].includes(job.state);

/** A row; its buttons stay the same elements while the job goes on, so that a press that has begun is not lost. */
export class JobRow {
  constructor({ onCancel, onUse, onDelete }) {
    const button = (words, act) => make("button", { type: "button", hidden: true, onclick: () => act(this.job) }, words);
    this.job = null;
    this.words = make("span");
    this.cancel = button("Cancel", onCancel);
    this.use = button("Compose with it", onUse);
    this.remove = button("Delete", onDelete);
    this.progress = make("progress", { max: 1, value: 0 });
    this.error = make("p", { class: "error" });
    this.curves = make("div", { class: "curves" });
    this.meaning = make("p", { class: "hint" }, MEANING);
    this.element = make("li", {}, make("div", { class: "job-head" }, this.words, this.cancel, this.use, this.remove), this.progress, this.error, this.curves, this.meaning);
  }

  /** Show a job as it is now; `isThere` says whether its model can be used. */
  show(job, { isThere }) {
    this.job = job;
    const title = job.title || "A tuning", { curves } = job, hasCurves = curves?.update?.length > 0;
    Object.assign(this.element.dataset, { job: job.id, state: job.state });
    this.words.replaceChildren(make("b", {}, title), ` ${WORDS[job.state] ?? job.state}${detail(job)}`);
    this.cancel.setAttribute("aria-label", `Cancel ${title}`);
    this.use.setAttribute("aria-label", `Compose with ${title}`);
    this.remove.setAttribute("aria-label", `Delete ${title}`);
    this.progress.setAttribute("aria-label", `Progress of ${title}`);
    this.progress.value = job.progress ?? 0;
    this.progress.hidden = this.cancel.hidden = !isOpen(job);
    this.use.hidden = this.remove.hidden = !isThere;
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
