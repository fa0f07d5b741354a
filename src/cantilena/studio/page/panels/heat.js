// What the model expects next, as tints of the keys: at the cursor, or after the beginning while that is played in.

import { ask } from "/page/api.js";
import { byId, settled } from "/page/elements.js";
import { expectedIn } from "/page/panels/expected.js";
import { tint } from "/page/music/keyboard.js";
import { primerMelody } from "/page/music/primer.js";
import { activeColumn, on, shown, state } from "/page/state.js";

let last = null, isOfPrimer = true, asked = 0;

/** Follow the cursor and the beginning. */
export function listenToHeat() {
  const ofPrimer = settled(() => { if (isOfPrimer) afterPrimer(); }, 250);
  on("settings", (changes) => {
    if (changes && !("primer" in changes || "idea" in changes || "model" in changes)) return;
    isOfPrimer = true;
    ofPrimer();
  });
  on("tick shown active", () => { isOfPrimer = !shown(); atCursor(); });
  byId("heat").addEventListener("change", () => { last = null; if (isOfPrimer) afterPrimer(); else atCursor(); });
}

async function afterPrimer() {
  let melody;
  asked += 1;
  const mine = asked;
  try {
    melody = primerMelody();
  } catch {
    return;
  }
  if (!byId("heat").checked || !state.settings.model || !melody.notes.length) {
    tint(null);
    return;
  }
  const key = state.settings.key || melody.key || null;
  const table = await ask("/api/probabilities", { body: { model: state.settings.model, melody: { ...melody, key, title: "" }, temperature: state.settings.temperature } }).catch(() => null);
  if (table && isOfPrimer && mine === asked) paint(table, table.pitches.length - 1);
}

async function atCursor() {
  const candidate = shown(), column = activeColumn();
  if (!byId("heat").checked || !candidate?.melody.notes.length) {
    tint(null);
    return;
  }
  const table = await expectedIn(candidate).catch(() => null);
  if (!table || candidate !== shown()) return;
  const row = Math.min(Math.floor(column.tick / table.step_ticks), table.pitches.length - 1);
  if (last?.table === table && last.row === row) return;
  last = { table, row };
  if (!isOfPrimer) paint(table, row);
}

function paint(table, row) {
  tint(new Map(table.pitches[row].map((chance, at) => [table.low + at, chance])));
}
