// The page for listeners: the server returns the state of the participant, and the card of that step is shown.

import { request } from "/page/api.js";
import { byId } from "/page/elements.js";
import { ApiError } from "/page/api-error.js";
import { begin, forget, keyInAddress, resume, storedKey } from "/page/session.js";
import { consentCard, endCard, headphonesCard, pauseCard, readyCard, trainingCard, volumeCard } from "/page/steps.js";
import { trialCard } from "/page/trial.js";

const CARDS = { training: trainingCard, headphones: headphonesCard, volume: volumeCard, practice: trialCard, ready: readyCard, trial: trialCard, pause: pauseCard, end: endCard };

let study = null, closing = [];

function showStep(state) {
  closeCard();
  const onClose = (call) => closing.push(call);
  showCard(CARDS[state.stage]({ study, state, put, next: nextListener, onClose }), state);
}

// Store a step and show the next one. If the step was completed elsewhere, for example in another tab, show the current one.
async function put(path, body) {
  try {
    showStep(await request(path, { method: "PUT", body }));
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 409) throw error;
    const state = await request("/api/sitting");
    if (state.place === document.querySelector("main > *").dataset.place) throw error;
    showStep(state);
  }
}

function showConsent(key = "") {
  closeCard();
  const onResume = key ? async () => { const state = await resume(key); if (state) showStep(state); else showConsent(); } : null;
  showCard(consentCard({ study, begin: async () => showStep(await begin()), resume: onResume }));
}

function nextListener() {
  forget();
  showConsent();
}

function closeCard() {
  for (const close of closing) close();
  closing = [];
}

function showCard(card, state = null) {
  const hasProgress = state !== null && ["trial", "pause", "end"].includes(state.stage);
  byId("course").hidden = byId("count").hidden = !hasProgress;
  if (hasProgress) {
    byId("course").value = state.answered / state.trials;
    byId("count").textContent = `${state.answered} of ${state.trials}`;
  }
  card.dataset.place = state?.place ?? "consent";
  byId("card").replaceChildren(card);
  scrollTo(0, 0);
  card.querySelector("h1").focus({ preventScroll: true });
  document.title = `${card.querySelector("h1").textContent} · ${study.title}`;
}

async function start() {
  study ??= await request("/api/study");
  byId("title").textContent = study.title;
  const key = keyInAddress();
  const state = key ? await resume(key) : null;
  if (state) showStep(state);
  else showConsent(key ? "" : storedKey());
  document.documentElement.dataset.loaded = "yes";
}

addEventListener("hashchange", start);
start();
