// The model's predictions as tints of the piano keys: at the cursor, or after the primer while that is entered.

import { request } from "/page/api.js";
import { byId, debounced } from "/page/elements.js";
import { predictionsFor } from "/page/panels/predictions.js";
import { tint } from "/page/music/keyboard.js";
import { primerMelody } from "/page/music/primer.js";
import { activeColumn, on, currentCandidate, state } from "/page/state.js";

let last = null, isAfterPrimer = true, requests = 0;

/** Follow the cursor and the primer. */
export function initHeat() {
  const updateAfterPrimer = debounced(() => { if (isAfterPrimer) afterPrimer(); }, 250);
  on("settings", (changes) => {
    if (changes && !("primer" in changes || "idea" in changes || "model" in changes)) return;
    isAfterPrimer = true;
    updateAfterPrimer();
  });
  on("tick shown active", () => { isAfterPrimer = !currentCandidate(); atCursor(); });
  byId("predictions").addEventListener("change", () => { last = null; if (isAfterPrimer) afterPrimer(); else atCursor(); });
}

async function afterPrimer() {
  let melody;
  requests += 1;
  const number = requests;
  try {
    melody = primerMelody();
  } catch {
    return;
  }
  if (!byId("predictions").checked || !state.settings.model || !melody.notes.length) {
    tint(null);
    return;
  }
  const key = state.settings.key || melody.key || null;
  const table = await request("/api/probabilities", { body: { model: state.settings.model, melody: { ...melody, key, title: "" }, temperature: state.settings.temperature } }).catch(() => null);
  if (table && isAfterPrimer && number === requests) paint(table, table.pitches.length - 1);
}

async function atCursor() {
  const candidate = currentCandidate(), column = activeColumn();
  if (!byId("predictions").checked || !candidate?.melody.notes.length) {
    tint(null);
    return;
  }
  const table = await predictionsFor(candidate).catch(() => null);
  if (!table || candidate !== currentCandidate()) return;
  const row = Math.min(Math.floor(column.tick / table.step_ticks), table.pitches.length - 1);
  if (last?.table === table && last.row === row) return;
  last = { table, row };
  if (!isAfterPrimer) paint(table, row);
}

function paint(table, row) {
  tint(new Map(table.pitches[row].map((probability, index) => [table.low + index, probability])));
}
