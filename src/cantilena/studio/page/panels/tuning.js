// Tune a model on the current rules: start, follow and cancel jobs, and offer the tuned models.

import { request, PAGE_ID } from "/page/api.js";
import { byId, showError, make, announce } from "/page/elements.js";
import { isOpen, JobRow } from "/page/panels/jobs.js";
import { modelTitle } from "/page/settings.js";
import { modelNamed, on, rulesBody, updateSettings, state, emit } from "/page/state.js";

const watched = new Map(), rows = new Map();

/** Load the models. */
export async function loadModels() {
  const { models } = await request("/api/models");
  state.models = models;
  emit("models");
}

/** Set up the panel. */
export async function initTuning() {
  byId("tune").addEventListener("click", startTuning);
  byId("model-delete").addEventListener("click", () => deleteModel(state.settings.model, "compose-error"));
  const seconds = byId("tune-seconds");
  const showSeconds = () => {
    const value = Number(seconds.value), text = value < 60 ? `${value} seconds` : `${Number((value / 60).toFixed(1))} minute${value === 60 ? "" : "s"}`;
    byId("tune-seconds-value").textContent = text;
    seconds.setAttribute("aria-valuetext", text);
  };
  seconds.addEventListener("input", showSeconds);
  showSeconds();
  on("models", listModels);
  on("settings", selectModel);
  on("settings sets rules", describeRules);
}

/** Follow the jobs of the server. */
export async function watchJobs() {
  const { jobs } = await request("/api/jobs");
  for (const job of jobs) {
    show(job);
    if (isOpen(job)) watch(job.id);
  }
}

function listModels() {
  const untuned = state.models.filter((model) => !model.tuned && !model.has_codes);
  const field = byId("tune-model"), before = field.value;
  field.replaceChildren(...untuned.map((model) => make("option", { value: model.name }, modelTitle(model.name))));
  if (untuned.some((model) => model.name === before)) field.value = before;
}

// Preselect the model that composes, or the one that it was tuned from.
function selectModel(changes) {
  const chosen = modelNamed(state.settings.model);
  if (chosen && changes?.model) byId("tune-model").value = chosen.untuned ?? chosen.name;
}

function describeRules() {
  const rules = state.sets.find((one) => one.name === state.settings.set)?.rules ?? [];
  const changed = rules.filter((rule) => rule.name in state.settings.rules && state.settings.rules[rule.name] !== rule.weight).length;
  byId("tune-rules").textContent = `${rules.length} rules apply${changed ? `, ${changed} of them with your weights` : ", with the published weights"}. Change them under “Rules”.`;
}

async function startTuning() {
  const button = byId("tune");
  if (button.disabled) return;
  button.disabled = true;
  showError("tune-error");
  try {
    const body = { kind: "tune", model: byId("tune-model").value, rules: rulesBody(), name: byId("tune-name").value.trim(), seconds: Number(byId("tune-seconds").value), page: PAGE_ID };
    const { job } = await request("/api/jobs", { body });
    show(job);
    watch(job.id);
    announce("The tuning has started.");
  } catch (error) {
    showError("tune-error", error);
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
    if (job.state === "done") await useTuned(job);
  });
}

async function useTuned(job) {
  await loadModels().catch(() => {});
  const model = modelNamed(job.model);
  if (model) updateSettings({ model: model.name, compare: model.untuned ?? "" });
  show(job);
  announce(`${job.title || "The tuned model"} is ready.`);
}

function show(job) {
  const list = byId("jobs");
  if (!rows.has(job.id)) {
    rows.set(job.id, new JobRow({ onCancel: cancel, onUse: use, onDelete: remove }));
    list.prepend(rows.get(job.id).element);
  }
  rows.get(job.id).show(job, { isAvailable: job.state === "done" && Boolean(modelNamed(job.model)) });
}

const cancel = (job) => request(`/api/jobs/${job.id}`, { method: "DELETE" }).catch((error) => showError("tune-error", error));

function use(job) {
  updateSettings({ model: job.model, compare: modelNamed(job.model)?.untuned ?? "" });
  byId("tab-compose").click();
  byId("compose").focus();
}

const remove = (job) => deleteModel(job.model, "tune-error");

// Delete a model that was tuned here; if it is selected, select the default one.
async function deleteModel(name, errorId) {
  try {
    await request(`/api/models/${encodeURIComponent(name)}`, { method: "DELETE" });
    await loadModels();
    if (!modelNamed(state.settings.model)) updateSettings({ model: state.models.find((model) => model.default)?.name ?? state.models[0]?.name ?? "", compare: "" });
    for (const row of rows.values()) if (row.job.model === name) show(row.job);
    announce("Deleted.");
  } catch (error) {
    showError(errorId, error);
  }
}
