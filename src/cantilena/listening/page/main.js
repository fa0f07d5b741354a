// The page begins here: the server says where the listener is, and the card for it is shown.

import { endCard, pauseCard } from "/page/after.js";
import { ask } from "/page/ask.js";
import { consentCard, headphonesCard, readyCard, trainingCard, volumeCard } from "/page/before.js";
import { byId } from "/page/elements.js";
import { ApiError } from "/page/api-error.js";
import { begin, keyInAddress, keyRemembered, leave, open } from "/page/sitting.js";
import { trialCard } from "/page/trial.js";

const CARDS = { training: trainingCard, headphones: headphonesCard, volume: volumeCard, practice: trialCard, ready: readyCard, trial: trialCard, pause: pauseCard, end: endCard };

let study = null, closing = [];

function show(state) {
  clear();
  const onClose = (call) => closing.push(call);
  put(CARDS[state.stage]({ study, state, put: send, next: nextListener, onClose }), state);
}

// What was said is written down before the server says where it goes on; a place that has passed is passed over.
async function send(path, body) {
  try {
    show(await ask(path, { method: "PUT", body }));
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 409) throw error;
    const state = await ask("/api/sitting");
    if (state.place === document.querySelector("main > *").dataset.place) throw error;
    show(state);
  }
}

function welcome(remembered = "") {
  clear();
  const goOn = remembered ? async () => { const state = await open(remembered); if (state) show(state); else welcome(); } : null;
  put(consentCard({ study, begin: async () => show(await begin()), goOn }));
}

function nextListener() {
  leave();
  welcome();
}

function clear() {
  for (const close of closing) close();
  closing = [];
}

function put(card, state = null) {
  const isCounted = state !== null && ["trial", "pause", "end"].includes(state.stage);
  byId("course").hidden = byId("count").hidden = !isCounted;
  if (isCounted) {
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
  study ??= await ask("/api/study");
  byId("title").textContent = study.title;
  const key = keyInAddress();
  const state = key ? await open(key) : null;
  if (state) show(state);
  else welcome(key ? "" : keyRemembered());
  document.documentElement.dataset.loaded = "yes";
}

addEventListener("hashchange", start);
start();
