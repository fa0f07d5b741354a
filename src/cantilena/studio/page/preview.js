// Before anything was composed: the primer, engraved while it is entered.

import { byId, make, debounced } from "/page/elements.js";
import { primerMelody } from "/page/music/primer.js";
import { ScoreView } from "/page/music/score.js";
import { on, state } from "/page/state.js";

/** Show the primer as long as there is no melody. */
export function initPreview() {
  const score = new ScoreView({ onPick: () => {}, onBar: () => {} });
  const hint = make("p", { class: "soft" });
  const sheet = make("div", { class: "column" }, make("div", { class: "paper-sheet preview" },
    make("div", { class: "column-head" }, make("h2", {}, "Your opening")), score.element, hint));
  const redraw = debounced(async () => {
    if (state.columns.length) return;
    let melody = null;
    try {
      melody = primerMelody();
    } catch {
      return;
    }
    const hasNotes = melody.notes.length > 0;
    hint.textContent = hasNotes ? "Press Compose to continue it." : "Play a few notes on the piano, type them, or just press Compose.";
    const { key, meter, tempo } = state.settings;
    if (!hasNotes) score.clear();
    else await score.show({ ...melody, key: key || melody.key || "C major", meter: meter || melody.meter, tempo: tempo || melody.tempo }).catch(() => {});
  }, 120);
  on("settings columns", () => {
    if (state.columns.length) return;
    if (!sheet.isConnected) {
      byId("columns").replaceChildren(sheet);
      byId("columns").classList.remove("two");
      byId("play-in-turn").hidden = true;
    }
    redraw();
  });
  new ResizeObserver(debounced(() => { if (sheet.isConnected && score.isStale) redraw(); }, 180)).observe(byId("columns"));
}
