// What stands on the sheet before anything was composed: the beginning, engraved while it is typed or played.

import { byId, make, settled } from "/page/elements.js";
import { primerMelody } from "/page/music/primer.js";
import { ScoreView } from "/page/music/score.js";
import { on, state } from "/page/state.js";

/** Show the beginning wherever there is no melody yet. */
export function listenToBeginning() {
  const score = new ScoreView({ onPick: () => {}, onBar: () => {} });
  const words = make("p", { class: "soft" });
  const sheet = make("div", { class: "column" }, make("div", { class: "paper-sheet beginning" },
    make("div", { class: "column-head" }, make("h2", {}, "Your beginning")), score.element, words));
  const redraw = settled(async () => {
    if (state.columns.length) return;
    let melody = null;
    try {
      melody = primerMelody();
    } catch {
      return;
    }
    const hasNotes = melody.notes.length > 0;
    words.textContent = hasNotes ? "Press Compose, and a melody grows from it." : "Play a few notes on the piano, type them, or just press Compose.";
    const { key, meter, tempo } = state.settings;
    if (!hasNotes) score.clear();
    else await score.show({ ...melody, key: key || melody.key || "C major", meter: meter || melody.meter, tempo: tempo || melody.tempo }).catch(() => {});
  }, 120);
  on("settings columns", () => {
    if (state.columns.length) return;
    if (!sheet.isConnected) {
      byId("columns").replaceChildren(sheet);
      byId("columns").classList.remove("two");
      byId("in-turn").hidden = true;
    }
    redraw();
  });
  new ResizeObserver(settled(() => { if (sheet.isConnected && score.isStale) redraw(); }, 180)).observe(byId("columns"));
}
