// The page begins here: every part listens, the server is asked what there is, and the address says what to show.

import { ask, stay } from "/page/api.js";
import { listenToBeginning } from "/page/beginning.js";
import { listenToBetween } from "/page/panels/between.js";
import { listenToChrome } from "/page/chrome.js";
import { colourBy, listenToColours } from "/page/music/colours.js";
import { listenToColumns } from "/page/columns.js";
import { compose, open, playInTurn, pressCompose } from "/page/compose.js";
import { byId, complain } from "/page/elements.js";
import { connectMidi, listenToLetters } from "/page/music/hands.js";
import { listenToHeat } from "/page/panels/heat.js";
import { listenToHistory } from "/page/panels/history.js";
import { listenToKeyboard } from "/page/music/keyboard.js";
import { read } from "/page/link.js";
import { noteAt, pitchName, placeOf } from "/page/music/music.js";
import { play, playUnasked, stop } from "/page/music/player.js";
import { listenToPrimer } from "/page/music/primer.js";
import { listenToRules } from "/page/panels/rules.js";
import { listenToSettings } from "/page/settings.js";
import { listenToShortcuts } from "/page/shortcuts.js";
import { activeColumn, EXAMPLE, modelNamed, on, set, shown, state, tell } from "/page/state.js";
import { listenToTuning, loadModels, watchJobs } from "/page/panels/tuning.js";

let loading = null, isLoaded = false;

/** Show what the address says: compose it, open its notes, or begin. */
async function restore() {
  stop();
  const { settings, given, notes, show, play: playIt, colour, rule, tab } = read(location.hash);
  const usual = state.models.find((model) => model.default) ?? state.models[0];
  if (!modelNamed(settings.model)) settings.model = usual?.name ?? "";
  if (!modelNamed(settings.compare) || settings.compare === settings.model) settings.compare = "";
  if (!state.sets.some((one) => one.name === settings.set)) settings.set = state.sets[0]?.name ?? "cantilena";
  const rules = state.sets.find((one) => one.name === settings.set)?.rules.map((rule) => rule.name) ?? [];
  settings.rules = Object.fromEntries(Object.entries(settings.rules).filter(([name]) => rules.includes(name)));
  settings.only = settings.only.filter((name) => rules.includes(name));
  const isEmpty = given.size === 0;
  if (isEmpty) settings.primer = EXAMPLE;
  set(settings);
  tell("rules");
  tell("settings");
  document.querySelector(`[role=tab][aria-controls="pane-${CSS.escape(tab)}"]`)?.click();
  colourBy(colour, rules.includes(rule) ? rule : "");
  if (notes) {
    open(notes, { title: "A melody from a link" });
    if (playIt) playUnasked(activeColumn());
  } else if (isEmpty) {
    state.columns = [];
    tell("columns");
    tell("shown");
  } else await compose({ show, push: false, playIt });
}

// Once, however often the way to the studio opens while it is asked: a second time would compose twice.
function load() {
  loading ??= begin().finally(() => { loading = null; });
  return loading;
}

async function begin() {
  try {
    const [, rules] = await Promise.all([loadModels(), ask("/api/rules")]);
    state.sets = rules.sets;
    isLoaded = true;
  } catch (error) {
    complain("compose-error", error);
    return;
  }
  complain("compose-error");
  tell("sets");
  await restore();
  document.documentElement.dataset.loaded = "yes";
  watchJobs().catch(() => {});
  const about = await ask("/api/about").catch(() => null);
  if (about) byId("about").textContent = [`Cantilena ${about.version}.`, about.trouble].filter(Boolean).join(" ");
}

function listenToPlayer() {
  const button = byId("play");
  button.addEventListener("click", () => {
    if (state.playing) stop();
    else if (activeColumn()) play(activeColumn(), { expressive: byId("expressive").checked }).catch((error) => complain("compose-error", error));
  });
  on("playing", () => {
    button.setAttribute("aria-label", state.playing ? "Stop" : "Play");
    button.querySelector("use").setAttribute("href", state.playing ? "#i-stop" : "#i-play");
  });
  on("shown columns busy", () => { button.disabled = !shown(); });
  on("tick shown active columns", () => {
    const candidate = shown(), column = activeColumn();
    const note = candidate && candidate.melody.notes[noteAt(candidate.melody, column.tick)];
    const place = candidate ? placeOf(candidate.melody, column.tick) : "";
    const text = candidate ? `${place[0].toUpperCase()}${place.slice(1)}${note ? ` · ${note.pitches.map((pitch) => pitchName(pitch, candidate.melody.key)).join(" ")}` : ""}` : "";
    if (byId("where").textContent !== text) byId("where").textContent = text;
  });
}

function listenToButton() {
  byId("panel").addEventListener("submit", (event) => {
    event.preventDefault();
    pressCompose();
    // After a press by hand the keys belong to the music, so that Space plays it.
    if (document.activeElement === byId("compose") && byId("compose").matches(":not(:focus-visible)")) byId("music").focus({ preventScroll: true });
  });
  on("busy", () => { byId("compose").textContent = state.busy ? "Composing …" : "Compose"; });
  byId("in-turn").addEventListener("click", () => (state.playing ? stop() : playInTurn()));
  on("playing", () => { byId("in-turn").textContent = state.playing ? "Stop" : "Play both in turn"; });
  on("beginning", () => byId("compose").focus());
}

for (const listen of [listenToChrome, listenToSettings, listenToPrimer, listenToColours, listenToColumns, listenToBeginning, listenToRules, listenToBetween, listenToHeat, listenToTuning, listenToHistory, listenToKeyboard, listenToLetters, listenToShortcuts, listenToPlayer, listenToButton]) listen();
byId("midi").addEventListener("click", connectMidi);
addEventListener("popstate", () => { if (isLoaded) restore(); });
on("back", () => { if (!isLoaded) load(); });
load();
stay();
