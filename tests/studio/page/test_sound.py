"""What is heard: every note at its time, the cursor with it, and nothing after Stop."""

from __future__ import annotations

import re
from typing import Any

import pytest

STATE = "#primer=C4+D4+E4+F4&key=C+major&bars=1&count=1&seed=2&tempo=240"


def struck(desk: Any) -> list[dict[str, float]]:
    return list(desk.page.evaluate("window.struck"))


def stopped(desk: Any) -> None:
    desk.page.get_by_role("button", name=re.compile("^Play$")).first.wait_for(timeout=15_000)
    desk.see("#play[aria-label=Play]").wait_for(timeout=15_000)


def test_every_note_is_struck_at_its_time_and_let_go_at_its_end(visit: Any) -> None:
    desk = visit(STATE).ready()
    melody = desk.melody()
    desk.page.click("#play")
    stopped(desk)
    notes = struck(desk)
    assert len(notes) == len(melody)
    assert all(note["peak"] > 0.01 and note["seconds"] > 0.2 for note in notes)
    gaps = [note["start"] - notes[0]["start"] for note in notes]
    assert gaps == pytest.approx([onset * 60 / (240 * 24) for onset, _ in melody], abs=1e-6)
    assert all(note["end"] > note["start"] for note in notes)
    assert desk.text("#where").startswith("Bar 1, beat 1")


def test_one_cursor_moves_through_score_and_roll(visit: Any) -> None:
    desk = visit(STATE).ready()
    places = desk.page.evaluate(
        """async () => {
          const line = document.querySelector("svg.roll .cursor-line");
          const cursor = document.querySelector(".score .cursor");
          const seen = [];
          document.getElementById("play").click();
          const end = performance.now() + 1500;
          while (performance.now() < end) {
            await new Promise(requestAnimationFrame);
            seen.push([Number(line.getAttribute("x1")), parseFloat(cursor.style.left)]);
          }
          return seen;
        }"""
    )
    roll, score = zip(*places, strict=True)
    assert max(roll) > min(roll) + 200
    assert max(score) > min(score) + 20
    assert len(set(score)) > 10


def test_space_plays_and_stops_and_stop_is_silence(visit: Any) -> None:
    desk = visit(STATE).ready()
    desk.page.focus("#music")
    desk.page.keyboard.press("Space")
    desk.see("#play[aria-label=Stop]").wait_for()
    desk.page.wait_for_timeout(400)
    desk.page.keyboard.press("Space")
    stopped(desk)
    count = len(struck(desk))
    assert count < len(desk.melody())
    desk.page.wait_for_timeout(500)
    assert len(struck(desk)) == count


def test_playing_begins_at_the_cursor(visit: Any) -> None:
    desk = visit(STATE).ready()
    desk.page.focus("svg.roll")
    desk.page.keyboard.press("ArrowRight")
    desk.page.keyboard.press("ArrowRight")
    desk.page.click("#play")
    stopped(desk)
    assert len(struck(desk)) == len(desk.melody()) - 2


def test_both_models_are_heard_in_turn(visit: Any) -> None:
    desk = visit("#model=tunes%2Brl&compare=tunes&primer=C4+D4&bars=1&count=1&seed=3&tempo=300").ready()
    melodies = [desk.melody(column) for column in range(2)]
    desk.page.click("#in-turn")
    desk.see("article.active h2").filter(has_text="plain").wait_for()
    desk.see("article.active h2").filter(has_text="tuned").wait_for(timeout=15_000)
    stopped(desk)
    assert len(struck(desk)) == sum(map(len, melodies))


def test_expressive_playing_is_one_performance_of_the_whole(visit: Any) -> None:
    desk = visit(STATE).ready()
    desk.page.check("#expressive")
    desk.page.click("#play")
    stopped(desk)
    (whole,) = struck(desk)
    assert whole["peak"] > 0.05
    assert whole["seconds"] > 8 * 60 / 240


def test_the_cursor_follows_an_expressive_performance(visit: Any) -> None:
    desk = visit(STATE).ready()
    desk.page.check("#expressive")
    with desk.page.expect_response("**/api/timing") as answer:
        desk.page.click("#play")
    clock = answer.value.json()["clock"]
    found = desk.page.evaluate(
        """async (clock) => {
          const { tickAt } = await import("/page/music/player.js");
          return clock.map((point) => tickAt(clock, point.seconds));
        }""",
        clock,
    )
    assert found == [*(point["tick"] for point in clock[:-1]), None]
    stopped(desk)


def test_the_beginning_alone_is_heard(visit: Any) -> None:
    desk = visit()
    desk.page.click("#primer-hear")
    desk.page.wait_for_timeout(300)
    stopped(desk)
    assert len(struck(desk)) == 7


def test_a_link_that_says_so_plays_as_soon_as_the_browser_lets_it(visit: Any) -> None:
    desk = visit()
    # To look at a page counts as a press where a test does it.
    desk.context.add_init_script(
        "Object.defineProperty(navigator, 'userActivation', { value: { hasBeenActive: false } })"
    )
    desk.page.goto("about:blank")
    desk.open(f"{STATE}&play=1").ready()
    desk.see("#play:focus").wait_for()
    assert struck(desk) == []
    desk.page.keyboard.press("Enter")
    desk.see("#play[aria-label=Stop]").wait_for()
    stopped(desk)
    assert len(struck(desk)) == len(desk.melody())
