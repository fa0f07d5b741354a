// Tuning a model on the rules as they are set: asked for, watched, cancelled; what comes of it joins the menu.

import { ask, PAGE } from "/page/api.js";
import { curve } from "/page/curves.js";
import { byId, complain, make, say } from "/page/elements.js";
import { modelTitle } from "/page/settings.js";
import { modelNamed, on, rulesAsked, set, state, tell } from "/page/state.js";

const watched = new Map();
const WORDS = { waiting: "waits its turn", running: "practises", done: "is ready", cancelled: "was cancelled", failed: "failed" };

/** Ask for the models anew. */
export async function loadModels() {
  const { models } = await ask("/api/models");
  state.models = models;
  tell("models");
}

/** Listen to the panel, and watch the jobs that are there. */
export async function listenToTuning() {
  byId("tune").addEventListener("click", begin);
  const seconds = byId("tune-seconds");
  const say = () => {
    const value = Number(seconds.value), text = value < 60 ? `${value} seconds` : `${Number((value / 60).toFixed(1))} minute${value === 60 ? "" : "s"}`;
    byId("tune-says").textContent = text;
    seconds.setAttribute("aria-valuetext", text);
  };
  seconds.addEventListener("input", say);
  say();
  on("models", offer);
  on("settings sets rules", describe);
}

/** Watch the jobs that the server has. */
export async function watchJobs() {
  const { jobs } = await ask("/api/jobs");
  for (const job of jobs) {
    show(job);
    if (["waiting", "running"].includes(job.state)) watch(job.id);
  }
}

function offer() {
  const untuned = state.models.filter((model) => !model.tuned);
  const field = byId("tune-model"), before = field.value;
  field.replaceChildren(...untuned.map((model) => make("option", { value: model.name }, modelTitle(model.name))));
  if (untuned.some((model) => model.name === before)) field.value = before;
}

function describe() {
  const rules = state.sets.find((one) => one.name === state.settings.set)?.rules ?? [];
  const changed = rules.filter((rule) => rule.name in state.settings.rules && state.settings.rules[rule.name] !== rule.weight).length;
  byId("tune-rules").textContent = `${rules.length} rules count${changed ? `, ${changed} of them weighed by you` : ", as published"}. Change them under “Rules”.`;
}

async function begin() {
  const button = byId("tune");
  if (button.disabled) return;
  button.disabled = true;
  complain("tune-error");
  try {
    const body = { kind: "tune", model: byId("tune-model").value, rules: rulesAsked(), name: byId("tune-name").value.trim(), seconds: Number(byId("tune-seconds").value), page: PAGE };
    const { job } = await ask("/api/jobs", { body });
    show(job);
    watch(job.id);
    say("The tuning has begun.");
  } catch (error) {
    complain("tune-error", error);
  } finally {
    button.disabled = false;
  }
}

function watch(id) {
  if (watched.has(id)) return;
  const stream = new EventSource(`/api/jobs/${id}/events`);
  watched.set(id, stream);
  stream.addEventListener("job", async (event) => {
    const sent = JSON.parse(event.data), job = sent.job ?? sent;
    show(job);
    if (["waiting", "running"].includes(job.state)) return;
    stream.close();
    watched.delete(id);
    if (job.state === "done") await arrived(job);
  });
}

async function arrived(job) {
  await loadModels().catch(() => {});
  const model = modelNamed(job.model);
  if (model) set({ model: model.name, compare: model.untuned ?? "" });
  show(job);
  say(`${job.title || "The tuned model"} is ready.`);
}

function show(job) {
  const list = byId("jobs"), old = list.querySelector(`[data-job="${CSS.escape(job.id)}"]`);
  const isOpen = ["waiting", "running"].includes(job.state);
  const stop = isOpen && make("button", { type: "button", "aria-label": `Cancel ${job.title}`, onclick: () => ask(`/api/jobs/${job.id}`, { method: "DELETE" }).catch((error) => complain("tune-error", error)) }, "Cancel");
  const isThere = job.state === "done" && modelNamed(job.model);
  const use = isThere && make("button", { type: "button", onclick: () => { set({ model: job.model, compare: modelNamed(job.model)?.untuned ?? "" }); byId("tab-compose").click(); byId("compose").focus(); } }, "Compose with it");
  const away = isThere && make("button", { type: "button", "aria-label": `Delete ${job.title}`, onclick: () => remove(job) }, "Delete");
  const place = job.state === "waiting" && job.place > 0 ? ` (number ${job.place})` : "";
  const left = job.state === "running" && job.seconds_left !== null ? `, about ${Math.ceil(job.seconds_left)} s left` : "";
  const { curves } = job, hasCurves = curves?.update?.length > 0;
  const item = make("li", { data: { job: job.id, state: job.state } },
    make("div", { class: "job-head" }, make("span", {}, make("b", {}, job.title || "A tuning"), ` ${WORDS[job.state] ?? job.state}${place}${left}`), stop, use, away),
    isOpen && make("progress", { max: 1, value: job.progress, "aria-label": `Progress of ${job.title}` }),
    job.error && make("p", { class: "error" }, job.error),
    hasCurves && make("div", { class: "curves" }, curve("Reward", curves.reward), curve("Diversity", curves.diversity), curve("Distance", curves.kl)),
    hasCurves && make("p", { class: "hint" }, "Reward: how well the rules like it. Diversity: how different its figures are. Distance: how far it has gone from the plain model."));
  const hadFocus = old?.contains(document.activeElement);
  if (old) old.replaceWith(item);
  else list.prepend(item);
  if (hadFocus) item.querySelector("button")?.focus({ preventScroll: true });
}

async function remove(job) {
  try {
    await ask(`/api/models/${encodeURIComponent(job.model)}`, { method: "DELETE" });
    await loadModels();
    if (!modelNamed(state.settings.model)) set({ model: state.models.find((model) => model.default)?.name ?? state.models[0]?.name ?? "", compare: "" });
    show(job);
  } catch (error) {
    complain("tune-error", error);
  }
}
