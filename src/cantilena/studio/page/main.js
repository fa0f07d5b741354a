// The entry point: set up all parts, load models and rules, and restore the state in the URL.

import { request, keepPageOpen } from "/page/api.js";
import { initPreview } from "/page/preview.js";
import { initBetween } from "/page/panels/between.js";
import { initChrome } from "/page/chrome.js";
import { colourBy, initColours } from "/page/music/colours.js";
import { initColumns } from "/page/columns.js";
import { compose, openMelody, playInTurn, pressCompose } from "/page/compose.js";
import { initEditor } from "/page/editing/toolbar.js";
import { initSessions, newSession, restoreSession } from "/page/editing/sessions.js";
import { initUndo } from "/page/editing/undo.js";
import { byId, showError } from "/page/elements.js";
import { allowed, showMessage } from "/page/fields.js";
import { connectMidi, initLetters } from "/page/music/input.js";
import { initForm } from "/page/panels/form.js";
import { initHeat } from "/page/panels/heat.js";
import { initHistory } from "/page/panels/history.js";
import { initKeyboard } from "/page/music/keyboard.js";
import { fromHash } from "/page/link.js";
import { formText, hasSections, ownBars, parseForm, sharedBars } from "/page/music/forms.js";
import { barsOf, noteAt, pitchName, positionText } from "/page/music/music.js";
import { play, autoplay, stop } from "/page/music/player.js";
import { initPrimer } from "/page/music/primer.js";
import { initRules } from "/page/panels/rules.js";
import { initSettings } from "/page/settings.js";
import { initShortcuts } from "/page/shortcuts.js";
import { activeColumn, EXAMPLE, modelNamed, on, updateSettings, currentCandidate, state, emit } from "/page/state.js";
import { initMidiOutput } from "/page/music/midi-output.js";
import { initTransport } from "/page/music/transport.js";
import { initTogether } from "/page/panels/together.js";
import { initTuning, loadModels, watchJobs } from "/page/panels/tuning.js";

let loading = null, isLoaded = false;

/** Restore the session of the tab, or the state in the URL: compose, open a melody, or show the primer. */
async function restore({ isFirst = false } = {}) {
  stop();
  const { settings, wrong, given, notes, show, play: autoPlay, colour, rule, tab } = fromHash(location.hash);
  const defaultModel = state.models.find((model) => model.default) ?? state.models[0];
  if (!modelNamed(settings.model)) settings.model = defaultModel?.name ?? "";
  if (!modelNamed(settings.compare) || settings.compare === settings.model) settings.compare = "";
  if (!state.sets.some((one) => one.name === settings.set)) settings.set = state.sets[0]?.name ?? "cantilena";
  const rules = state.sets.find((one) => one.name === settings.set)?.rules.map((rule) => rule.name) ?? [];
  settings.rules = Object.fromEntries(Object.entries(settings.rules).filter(([name]) => rules.includes(name)));
  settings.only = settings.only.filter((name) => rules.includes(name));
  const isEmpty = given.size === 0;
  if (isEmpty) settings.primer = EXAMPLE;
  updateSettings(settings);
  emit("rules");
  emit("settings");
  if (isFirst) {
    if (await restoreSession()) return;
    newSession();
  }
  for (const [name, text] of Object.entries(wrong)) if (byId(`${name}-error`)) showMessage(name, `The link says ${text || "nothing"}: ${allowed(byId(name))}.`);
  document.querySelector(`[role=tab][aria-controls="pane-${CSS.escape(tab)}"]`)?.click();
  colourBy(colour, rules.includes(rule) ? rule : "");
  if (notes) {
    if (settings.chords && !notes.chords) await putChords(notes, settings.chords);
    const bars = barsOf(notes).filter((bar) => bar.number).length, sections = hasSections(settings.form) ? sharedBars(parseForm(settings.form), settings.bars) : null;
    const isItsForm = sections && ownBars(sections) === bars;
    openMelody(notes, { title: "A melody from a link", candidate: isItsForm ? { form: { form: formText(sections), cadences: settings.cadences.every(Boolean) ? settings.cadences : [] } } : null });
    if (autoPlay) autoplay(activeColumn());
  } else if (isEmpty) {
    state.columns = [];
    emit("columns");
    emit("shown");
  } else await compose({ show, push: false, autoPlay });
}

// Put the chords of a link over its melody.
async function putChords(melody, chords) {
  try {
    const lane = await request("/api/chords", { body: { melody, bars: chords.split("|") } });
    melody.chords = lane.melody.chords;
  } catch (error) {
    showError("compose-error", error);
  }
}

// Load once, even if the connection opens again meanwhile: otherwise the page would compose twice.
function load() {
  loading ??= start().finally(() => { loading = null; });
  return loading;
}

async function start() {
  try {
    const [, rules] = await Promise.all([loadModels(), request("/api/rules")]);
    state.sets = rules.sets;
    isLoaded = true;
  } catch (error) {
    showError("compose-error", error);
    return;
  }
  showError("compose-error");
  emit("sets");
  await restore({ isFirst: true });
  document.documentElement.dataset.loaded = "yes";
  watchJobs().catch(() => {});
  const about = await request("/api/about").catch(() => null);
  if (about) byId("about").textContent = [`Cantilena ${about.version}.`, about.trouble].filter(Boolean).join(" ");
}

function initPlayer() {
  const button = byId("play");
  button.addEventListener("click", () => {
    if (state.playing) stop();
    else if (activeColumn()) play(activeColumn(), { expressive: byId("expressive").checked }).catch((error) => showError("compose-error", error));
  });
  on("playing", () => {
    button.setAttribute("aria-label", state.playing ? "Stop" : "Play");
    button.querySelector("use").setAttribute("href", state.playing ? "#i-stop" : "#i-play");
  });
  on("shown columns busy", () => { button.disabled = !currentCandidate(); });
  on("tick shown active columns", () => {
    const candidate = currentCandidate(), column = activeColumn();
    const note = candidate && candidate.melody.notes[noteAt(candidate.melody, column.tick)];
    const place = candidate ? positionText(candidate.melody, column.tick) : "";
    const text = candidate ? `${place[0].toUpperCase()}${place.slice(1)}${note ? ` · ${note.pitches.map((pitch) => pitchName(pitch, candidate.melody.key)).join(" ")}` : ""}` : "";
    if (byId("position").textContent !== text) byId("position").textContent = text;
  });
}

function initComposeButton() {
  byId("panel").addEventListener("submit", (event) => {
    event.preventDefault();
    pressCompose();
    // After a click, move the focus to the music, so that Space plays it.
    if (document.activeElement === byId("compose") && byId("compose").matches(":not(:focus-visible)")) byId("music").focus({ preventScroll: true });
  });
  on("busy", () => { byId("compose").textContent = state.busy ? "Composing …" : "Compose"; });
  byId("play-in-turn").addEventListener("click", () => (state.playing ? stop() : playInTurn()));
  on("playing", () => { byId("play-in-turn").textContent = state.playing ? "Stop" : "Play both in turn"; });
  on("primer-read", () => byId("compose").focus());
  // On a telephone the result comes first, and the settings below it.
  on("columns", () => document.body.classList.toggle("has-music", state.columns.length > 0));
  on("busy", () => { if (state.busy && matchMedia("(max-width: 63.99rem)").matches) byId("music").scrollIntoView({ block: "start" }); });
}

for (const init of [initChrome, initSettings, initForm, initPrimer, initColours, initColumns, initPreview, initRules, initBetween, initHeat, initTuning, initHistory, initKeyboard, initLetters, initTogether, initEditor, initUndo, initSessions, initShortcuts, initTransport, initMidiOutput, initPlayer, initComposeButton]) init();
byId("midi").addEventListener("click", connectMidi);
addEventListener("popstate", () => { if (isLoaded) restore(); });
on("online", () => { if (!isLoaded) load(); });
load();
keepPageOpen();
