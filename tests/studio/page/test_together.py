"""Playing together: a MIDI keyboard calls in time, the model answers at the barline, and both are kept."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np
import pytest

STATE = "#model=tunes&key=C+major&bars=2&count=1&seed=7"
BEAT = 0.25  # seconds, at 240 quarter notes a minute
CALL = [60, 64, 67, 64, 65, 62, 60, 62, 64, 67, 69, 67, 65, 64, 62, 67]

# A made-up MIDI keyboard, the audio clock, and the clicks of the metronome on it.
DEVICE = """
window.clicks = [];
const startTone = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (when) { window.clicks.push(when); return startTone.call(this, when); };
window.AudioContext = class extends AudioContext {
  constructor(...more) { super(...more); window.clock = this; }
};
const device = { name: "Made-up keyboard", onmidimessage: null };
navigator.requestMIDIAccess = async () => ({ inputs: new Map([["1", device]]), onstatechange: null });
// A browser hands a message over when it has time, with the time at which it arrived.
const stamp = (time) => performance.now() + 1000 * (time - clock.currentTime);
const send = (time, ...data) => device.onmidimessage({ data, timeStamp: stamp(time) });
const until = async (time) => { while (clock.currentTime < time) await new Promise((done) => setTimeout(done, 4)); };
// Play quarter notes from the first beat of the call on, each a little late and shorter than written.
window.playCall = async (pitches, beat) => {
  while (window.clicks.length < 5) await new Promise((done) => setTimeout(done, 4));
  const first = window.clicks[4];
  for (const [at, pitch] of pitches.entries()) {
    const [on, off] = [at, at + 0.8].map((beats) => first + beats * beat + 0.01 + clock.outputLatency);
    await until(on);
    send(on, 0x90, pitch, 80);
    await until(off);
    send(off, 0x80, pitch, 0);
  }
  return first;
};
null;
"""


def open_panel(visit: Any, bars: int) -> Any:
    app = visit(STATE).ready()
    app.page.evaluate(DEVICE)
    app.page.click("#open-together")
    app.page.click("#together-midi")
    app.page.locator("#together .midi-status", has_text="Made-up keyboard").wait_for()
    app.page.select_option("#together-bars", str(bars))
    app.page.fill("#together-tempo", "240")
    app.answers = []
    app.page.on("response", lambda sent: app.answers.append(sent) if sent.url.endswith("/api/answer") else None)
    return app


def test_four_bars_are_answered_at_the_barline_and_both_are_kept(visit: Any) -> None:
    app = open_panel(visit, 4)
    app.page.focus("#together-start")
    app.page.keyboard.press("Enter")
    first = app.page.evaluate("([pitches, beat]) => playCall(pitches, beat)", [CALL, BEAT])
    barline = first + 16 * BEAT
    app.page.locator("#together-turn", has_text="The model answers").wait_for(timeout=10_000)
    assert app.text("#together-position").startswith("bar 1 of 4, beat ")
    app.page.locator("#together-turn", has_text="Your turn").wait_for(timeout=10_000)
    answer = [note for note in app.page.evaluate("window.played") if note["start"] > barline - 0.1]
    app.page.keyboard.press("Escape")
    app.page.wait_for_selector("article[data-ready] >> text=Played together", timeout=20_000)
    melody = app.melody()
    assert len(answer) == len(melody) - 16
    expected = [barline + (onset - 384) * BEAT / 24 for onset, _ in melody[16:]]
    assert sorted(note["start"] for note in answer) == pytest.approx(expected, abs=0.02)
    assert [onset for onset, _ in melody[:16]] == [24 * at for at in range(16)]
    assert [int(pitches) for _, pitches in melody[:16]] == CALL
    sent = [json.loads(one.request.post_data) for one in app.answers]
    assert len(sent[-1]["played"]) >= 12, "it was asked before the last beats were played"
    assert all(body["bars"] == 4 and body["tempo"] == 240 for body in sent)
    clicks = app.page.evaluate("window.clicks")
    assert np.diff(clicks) == pytest.approx(BEAT, abs=1e-6)
    app.page.click("#open-history")
    app.find("#entries li").first.wait_for(timeout=10_000)
    assert "Played together" in app.text("#entries")


def test_the_piano_and_letters_play_too_and_a_silent_call_begins_again(visit: Any) -> None:
    app = open_panel(visit, 1)
    app.page.focus("#together-start")
    app.page.keyboard.press("Space")
    app.page.locator("#announcement", has_text="You played nothing").wait_for(timeout=10_000, state="attached")
    app.page.keyboard.press("a", delay=300)
    app.page.locator("#together-turn", has_text="The model answers").wait_for(timeout=10_000)
    assert app.find("#together-roll rect.call").count() >= 1
    assert app.find("#together-roll rect.answer").count() >= 1
    app.page.keyboard.press("Space")
    app.page.wait_for_selector("article[data-ready] >> text=Played together", timeout=20_000)
    assert app.melody()[0][1] == "60"
    assert app.page.input_value("#primer") == "", "what is played is not a primer"


def test_its_controls_have_names(visit: Any, page_checks: dict[str, str]) -> None:
    app = open_panel(visit, 1)
    assert app.page.evaluate(page_checks["nameless"]) == []
    assert app.find("#open-together").get_attribute("aria-expanded") == "true"
    assert app.find("#together-turn").get_attribute("role") == "status"
    app.page.click("#open-together")
    assert app.find("#together").is_hidden()


def test_an_answer_is_there_within_a_beat(visit: Any) -> None:
    app = visit(STATE).ready()
    measure = """async (pitches) => {
      const times = [];
      for (let seed = 0; seed < 120; seed += 1) {
        const played = pitches.map((pitch, at) => ({ pitch: pitch + (seed % 5), on: at / 2, off: at / 2 + 0.4 }));
        const started = performance.now();
        await (await fetch("/api/answer", { method: "POST", headers: { "Content-Type": "application/json" },
          body: JSON.stringify({ model: "tunes", played, bars: 4, tempo: 120, seed }) })).json();
        times.push((performance.now() - started) / 1000);
      }
      return times;
    }"""
    p99 = float(np.percentile(app.page.evaluate(measure, CALL), 99))
    if p99 >= 0.5:  # once more: another program may have been busy for a moment
        p99 = float(np.percentile(app.page.evaluate(measure, CALL), 99))
    if p99 >= 0.5 and os.getloadavg()[0] > (os.cpu_count() or 1):
        pytest.skip(f"p99 is {p99:.2f} s, but other programs keep all processors busy")
    assert p99 < 0.5, f"p99 is {p99:.3f} s, more than a beat at 120"
