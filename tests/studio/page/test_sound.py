"""What is heard: every note at its time, the cursor with it, and nothing after Stop."""

from __future__ import annotations

import re
from typing import Any

import pytest

STATE = "#primer=C4+D4+E4+F4&key=C+major&bars=2&count=1&seed=2&tempo=240"


def played(app: Any) -> list[dict[str, float]]:
    return list(app.page.evaluate("window.played"))


def wait_until_stopped(app: Any) -> None:
    app.page.get_by_role("button", name=re.compile("^Play$")).first.wait_for(timeout=15_000)
    app.find("#play[aria-label=Play]").wait_for(timeout=15_000)


def test_every_note_is_struck_at_its_time_and_let_go_at_its_end(visit: Any) -> None:
    app = visit(STATE).ready()
    melody = app.melody()
    app.page.click("#play")
    wait_until_stopped(app)
    notes = played(app)
    assert len(notes) == len(melody)
    assert all(note["peak"] > 0.01 and note["seconds"] > 0.2 for note in notes)
    gaps = [note["start"] - notes[0]["start"] for note in notes]
    assert gaps == pytest.approx([onset * 60 / (240 * 24) for onset, _ in melody], abs=1e-6)
    assert all(note["end"] > note["start"] for note in notes)
    assert app.text("#position").startswith("Bar 1, beat 1")


def test_one_cursor_moves_through_score_and_roll(visit: Any) -> None:
    app = visit(STATE).ready()
    places = app.page.evaluate(
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
    app = visit(STATE).ready()
    app.page.focus("#music")
    app.page.keyboard.press("Space")
    app.find("#play[aria-label=Stop]").wait_for()
    app.page.wait_for_timeout(400)
    app.page.keyboard.press("Space")
    wait_until_stopped(app)
    count = len(played(app))
    assert count < len(app.melody())
    app.page.wait_for_timeout(500)
    assert len(played(app)) == count


def test_playing_begins_at_the_cursor(visit: Any) -> None:
    app = visit(STATE).ready()
    app.page.focus("svg.roll")
    app.page.keyboard.press("ArrowRight")
    app.page.keyboard.press("ArrowRight")
    app.page.click("#play")
    wait_until_stopped(app)
    assert len(played(app)) == len(app.melody()) - 2


def test_both_models_are_heard_in_turn(visit: Any) -> None:
    app = visit("#model=tunes%2Brl&compare=tunes&primer=C4+D4&bars=2&count=1&seed=3&tempo=300").ready()
    melodies = [app.melody(column) for column in range(2)]
    app.page.click("#play-in-turn")
    app.find("article.active h2").filter(has_text="plain").wait_for()
    app.find("article.active h2").filter(has_text="tuned").wait_for(timeout=15_000)
    wait_until_stopped(app)
    assert len(played(app)) == sum(map(len, melodies))


def test_expressive_playing_has_the_times_and_the_velocities_of_the_performance(visit: Any) -> None:
    app = visit(STATE).ready()
    app.page.check("#expressive")
    with app.page.expect_response("**/api/timing") as answer:
        app.page.click("#play")
    expected = answer.value.json()["notes"]
    wait_until_stopped(app)
    notes = played(app)
    gaps = [note["start"] - notes[0]["start"] for note in notes]
    assert gaps == pytest.approx([note["onset"] for note in expected], abs=1e-6)
    asked = {match[1] for path in app.requests if (match := re.search(r"velocity=(\d+)", path))}
    assert asked >= {str(16 * round(note["velocity"] / 16)) for note in expected}


def test_the_cursor_follows_an_expressive_performance(visit: Any) -> None:
    app = visit(STATE).ready()
    app.page.check("#expressive")
    with app.page.expect_response("**/api/timing") as answer:
        app.page.click("#play")
    clock = answer.value.json()["clock"]
    found = app.page.evaluate(
        """async (clock) => {
          const { tickAt } = await import("/page/music/player.js");
          return clock.map((point) => tickAt(clock, point.seconds));
        }""",
        clock,
    )
    assert found == [*(point["tick"] for point in clock[:-1]), None]
    wait_until_stopped(app)


def test_the_beginning_alone_is_heard(visit: Any) -> None:
    app = visit()
    app.page.click("#primer-play")
    app.page.wait_for_timeout(300)
    wait_until_stopped(app)
    assert len(played(app)) == 7


def test_a_link_that_says_so_plays_as_soon_as_the_browser_lets_it(visit: Any) -> None:
    app = visit()
    # To look at a page counts as a press where a test does it.
    app.context.add_init_script(
        "Object.defineProperty(navigator, 'userActivation', { value: { hasBeenActive: false } })"
    )
    app.page.goto("about:blank")
    app.open(f"{STATE}&play=1").ready()
    app.find("#play:focus").wait_for()
    assert played(app) == []
    app.page.keyboard.press("Enter")
    app.find("#play[aria-label=Stop]").wait_for()
    wait_until_stopped(app)
    assert len(played(app)) == len(app.melody())
