// Tuning a model on the rules as they are set: asked for, watched, cancelled; what comes of it joins the menu.

import { ask, PAGE } from "/page/api.js";
import { byId, complain, make, say } from "/page/elements.js";
import { isOpen, JobRow } from "/page/panels/jobs.js";
import { modelTitle } from "/page/settings.js";
import { modelNamed, on, rulesAsked, set, state, tell } from "/page/state.js";

const watched = new Map(), rows = new Map();

/** Ask for the models anew. */
export async function loadModels() {
  const { models } = await ask("/api/models");
  state.models = models;
  tell("models");
}

/** Listen to the panel, and watch the jobs that are there. */
export async function listenToTuning() {
  byId("tune").addEventListener("click", begin);
  byId("model-delete").addEventListener("click", () => forget(state.settings.model, "compose-error"));
  const seconds = byId("tune-seconds");
  const say = () => {
    const value = Number(seconds.value), text = value < 60 ? `${value} seconds` : `${Number((value / 60).toFixed(1))} minute${value === 60 ? "" : "s"}`;
    byId("tune-says").textContent = text;
    seconds.setAttribute("aria-valuetext", text);
  };
  seconds.addEventListener("input", say);
  say();
  on("models", offer);
  on("settings", follow);
  on("settings sets rules", describe);
}

/** Watch the jobs that the server has. */
export async function watchJobs() {
  const { jobs } = await ask("/api/jobs");
  for (const job of jobs) {
    show(job);
    if (isOpen(job)) watch(job.id);
  }
}

function offer() {
  const untuned = state.models.filter((model) => !model.tuned && !model.has_codes);
  const field = byId("tune-model"), before = field.value;
  field.replaceChildren(...untuned.map((model) => make("option", { value: model.name }, modelTitle(model.name))));
  if (untuned.some((model) => model.name === before)) field.value = before;
}

// Who chooses a model to compose will want to tune that one, or what it was tuned from.
function follow(changes) {
  const chosen = modelNamed(state.settings.model);
  if (chosen && changes?.model) byId("tune-model").value = chosen.untuned ?? chosen.name;
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
    if (isOpen(job)) return;
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
  const list = byId("jobs");
  if (!rows.has(job.id)) {
    rows.set(job.id, new JobRow({ onCancel: cancel, onUse: use, onDelete: remove }));
    list.prepend(rows.get(job.id).element);
  }
  rows.get(job.id).show(job, { isThere: job.state === "done" && Boolean(modelNamed(job.model)) });
}

const cancel = (job) => ask(`/api/jobs/${job.id}`, { method: "DELETE" }).catch((error) => complain("tune-error", error));

function use(job) {
  set({ model: job.model, compare: modelNamed(job.model)?.untuned ?? "" });
  byId("tab-compose").click();
  byId("compose").focus();
}

const remove = (job) => forget(job.model, "tune-error");

// Delete a model that was tuned here; who had chosen it gets the usual one.
async function forget(name, place) {
  try {
    await ask(`/api/models/${encodeURIComponent(name)}`, { method: "DELETE" });
    await loadModels();
    if (!modelNamed(state.settings.model)) set({ model: state.models.find((model) => model.default)?.name ?? state.models[0]?.name ?? "", compare: "" });
    for (const row of rows.values()) if (row.job.model === name) show(row.job);
    say("Deleted.");
  } catch (error) {
    complain(place, error);
  }
}
