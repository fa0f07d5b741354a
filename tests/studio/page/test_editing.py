"""Notes are selected, edited, locked and undone, by mouse and keyboard, in the roll and in the score."""

from __future__ import annotations

import re
from typing import Any

import pytest

expect: Any = pytest.importorskip("playwright.sync_api").expect

TUNE = "#melody=C4+D4+E4+F4+G4+A4+B4+C5+D5+C5+B4+A4+G4+F4+E4+D4&key=C+major"
Note = tuple[int, int, int]


def notes(app: Any) -> list[Note]:
    """Onset, duration and pitch of the notes that the page shows."""
    found = app.page.evaluate(
        """async () => {
          const { currentCandidate } = await import("/page/state.js");
          return currentCandidate().melody.notes.map((note) => [note.onset, note.duration, note.pitches[0]]);
        }"""
    )
    return [tuple(note) for note in found]


def chosen(app: Any) -> list[int]:
    """The numbers of the notes that are selected, in the roll and in the score."""
    script = "(roll) => [...document.querySelectorAll(roll)].map((one) => Number(one.dataset.note))"
    found = app.page.evaluate(script, ".roll .note.chosen")
    assert app.find(".score .note.chosen").count() == len(found)
    return list(found)


def middle(app: Any, number: int, side: float = 0.3) -> tuple[float, float]:
    script = "(note) => document.querySelector(note).getBoundingClientRect().toJSON()"
    box = app.page.evaluate(script, f".roll .note[data-note='{number}'] rect")
    return box["x"] + side * box["width"], box["y"] + box["height"] / 2


def head(app: Any, number: int) -> tuple[tuple[float, float], float]:
    """The middle of a note head of the score, and its height."""
    script = "(number) => document.querySelectorAll('.score .notehead')[number].getBoundingClientRect().toJSON()"
    box = app.page.evaluate(script, number)
    return (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2), box["height"]


def row(app: Any) -> float:
    """The height of a pitch in the roll."""
    return (middle(app, 0)[1] - middle(app, 7)[1]) / 12


def drag(app: Any, start: tuple[float, float], by: tuple[float, float]) -> None:
    app.page.mouse.move(*start)
    app.page.mouse.down()
    app.page.mouse.move(start[0] + by[0] / 2, start[1] + by[1] / 2)
    app.page.mouse.move(start[0] + by[0], start[1] + by[1])
    app.page.mouse.up()


@pytest.fixture
def app(visit: Any) -> Any:
    app = visit(TUNE).ready()
    app.page.click("button.edit")
    app.find(".roll").scroll_into_view_if_needed()
    return app


def test_a_note_is_dragged_to_another_pitch_and_undone(app: Any) -> None:
    before = notes(app)
    drag(app, middle(app, 4), (0, -2 * row(app)))
    assert notes(app)[4] == (96, 24, 69)
    assert notes(app)[:4] + notes(app)[5:] == before[:4] + before[5:]
    app.page.keyboard.press("Control+z")
    assert notes(app) == before
    app.page.keyboard.press("Control+Shift+z")
    assert notes(app)[4] == (96, 24, 69)
    app.page.click("#undo")
    assert notes(app) == before


def test_a_note_is_dragged_in_time_and_shortens_what_it_meets(app: Any) -> None:
    width = middle(app, 5)[0] - middle(app, 4)[0]
    drag(app, middle(app, 4), (1.5 * width, 0))
    assert notes(app)[3:7] == [(72, 24, 65), (120, 12, 69), (132, 24, 67), (156, 12, 71)]


def test_a_note_is_resized_at_its_end(app: Any) -> None:
    width = middle(app, 5)[0] - middle(app, 4)[0]
    drag(app, middle(app, 4, side=0.97), (width, 0))
    assert notes(app)[4:6] == [(96, 48, 67), (144, 24, 71)]
    drag(app, middle(app, 4, side=0.98), (-1.5 * width, 0))
    assert notes(app)[4] == (96, 12, 67)


def test_notes_are_selected_by_click_shift_frame_and_bar(app: Any) -> None:
    app.page.mouse.click(*middle(app, 3))
    assert chosen(app) == [3]
    app.page.keyboard.down("Shift")
    app.page.mouse.click(*middle(app, 6))
    app.page.keyboard.up("Shift")
    assert chosen(app) == [3, 6]
    box = app.find(".roll").bounding_box()
    start = (middle(app, 8)[0] - 12, box["y"] + 30)
    drag(app, start, (middle(app, 11)[0] - start[0], box["height"] - 40))
    assert chosen(app) == [8, 9, 10, 11]
    drag(app, (box["x"] + box["width"] * 0.3, box["y"] + 8), (box["width"] * 0.1, 0))  # the numbers of the bars
    assert app.text(".tools .rewrite").startswith("Rewrite bar 2")
    app.page.mouse.click(box["x"] + 5, box["y"] + 30)
    assert chosen(app) == []


def test_notes_are_selected_and_moved_in_the_score(app: Any) -> None:
    place, height = head(app, 2)
    app.page.mouse.click(*place)
    assert chosen(app) == [2]
    drag(app, place, (0, -1.05 * height))  # a space of the staff is as high as a head: two steps
    assert notes(app)[2] == (48, 24, 67)
    expect(app.find(".score .note.chosen")).to_have_count(1)
    app.page.wait_for_timeout(1500)  # until it is engraved again
    app.page.keyboard.down("Shift")
    app.page.mouse.click(*head(app, 5)[0])
    app.page.keyboard.up("Shift")
    assert chosen(app) == [2, 3, 4, 5]


def test_the_keyboard_does_all_of_it(app: Any) -> None:
    before, press = notes(app), app.page.keyboard.press
    app.page.focus("#music")
    press("Enter")
    assert chosen(app) == [0]
    press("ArrowUp")
    press("Shift+ArrowUp")
    press("Alt+ArrowDown")
    assert notes(app)[0] == (0, 24, 73)
    press("Shift+ArrowDown")
    press("Control+ArrowRight")
    assert chosen(app) == [1]
    press("Shift+ArrowRight")
    assert chosen(app) == [1, 2]
    press("ArrowRight")
    assert notes(app)[1:4] == [(30, 24, 62), (54, 24, 64), (78, 18, 65)]
    press(",")
    assert notes(app)[1:3] == [(30, 18, 62), (54, 18, 64)]
    press("Control+c")
    press("Delete")
    assert len(notes(app)) == len(before) - 2
    press("End")
    press("Control+v")
    assert [pitch for _, _, pitch in notes(app)][-2:] == [62, 64]
    press("Control+a")
    assert len(chosen(app)) == len(notes(app))
    press("Escape")
    assert chosen(app) == []
    for _ in range(30):
        press("Control+z")
    assert notes(app) == before
    for _ in range(30):
        press("Control+y")
    assert [pitch for _, _, pitch in notes(app)][-2:] == [62, 64]


def test_notes_are_inserted_split_and_moved_into_the_key(app: Any) -> None:
    app.page.mouse.click(*middle(app, 4))
    app.page.click("[data-command=split]")
    assert notes(app)[4:6] == [(96, 12, 67), (108, 12, 67)]
    app.page.click("[data-command=semitone-up]")
    assert notes(app)[4:6] == [(96, 12, 68), (108, 12, 68)]
    app.page.click("[data-command=into-key]")
    assert notes(app)[4:6] == [(96, 12, 67), (108, 12, 67)]
    app.page.select_option("#note-length", "6")
    x, y = middle(app, 0)
    app.page.mouse.dblclick(x, y - 4 * row(app))
    assert notes(app)[:3] == [(0, 6, 60), (6, 6, 64), (24, 24, 62)]


def test_the_score_is_engraved_again_and_judged(app: Any) -> None:
    heads = app.find(".score .notehead").count()
    app.page.mouse.click(*middle(app, 4))
    app.page.keyboard.press("Delete")
    expect(app.find(".score .notehead")).to_have_count(heads - 1)
    expect(app.find(".total b")).to_have_text(re.compile("[+−]"))
    assert "edited" in app.text(".facts")


def test_what_is_locked_stays_when_the_rest_is_rewritten(app: Any) -> None:
    before = notes(app)
    app.page.mouse.click(*middle(app, 0))
    app.page.keyboard.press("Shift+ArrowRight")
    app.page.click("[data-lock=notes]")
    app.page.mouse.click(*middle(app, 8))
    for _ in range(3):
        app.page.keyboard.press("Shift+ArrowRight")
    app.page.click("[data-lock=rhythm]")
    assert "notes of 2, rhythm of 4" in app.text(".edit-facts")
    app.page.get_by_role("button", name="Rewrite the rest").click()
    app.ready()
    expect(app.find(".card")).to_have_count(5, timeout=30_000)  # the melody, and as many as are asked for
    after = {note[0]: note for note in notes(app)}
    assert [after[onset] for onset, _, _ in before[:2]] == before[:2]
    assert [after[onset][:2] for onset, _, _ in before[8:12]] == [note[:2] for note in before[8:12]]
    assert notes(app) != before
    assert "notes of 2, rhythm of 4" in app.text(".edit-facts")


def test_a_rewrite_can_be_undone_and_repeated(app: Any) -> None:
    before = notes(app)
    box = app.find(".roll").bounding_box()
    drag(app, (box["x"] + box["width"] * 0.3, box["y"] + 8), (box["width"] * 0.1, 0))
    rewrite = app.page.locator(".tools .rewrite")
    rewrite.click()
    expect(app.find(".card")).to_have_count(5, timeout=30_000)  # the melody, and as many as are asked for
    app.ready()
    assert rewrite.inner_text() == "Rewrite bar 2"  # and once more
    for name in ("Keep", "Continue from here"):
        assert app.page.get_by_role("button", name=name, exact=True).is_enabled()
    app.page.click("#undo")
    assert notes(app) == before
    assert not app.find(".candidates").is_visible()


def test_composing_and_discarding_can_be_undone(visit: Any) -> None:
    app = visit("#primer=C4+D4+E4&bars=4&count=3&seed=4").ready()
    assert app.find(".card").count() == 3
    first = notes(app)
    app.find(".card .close").first.click()
    assert app.find(".card").count() == 2
    app.page.click("#undo")
    assert app.find(".card").count() == 3
    assert notes(app) == first
    app.compose()
    app.page.click("#undo")
    assert notes(app) == first


def test_an_edited_melody_is_what_is_played_exported_and_shared(app: Any) -> None:
    app.page.mouse.click(*middle(app, 15))
    app.page.keyboard.press("ArrowDown")
    with app.page.expect_download() as download:
        app.page.get_by_role("button", name="Download").click()
        app.find("[data-kind=abc]").click()
    assert "C" in download.value.path().read_text().splitlines()[-1]
    app.page.click(".copy-link")
    link = app.page.evaluate("navigator.clipboard.readText()")
    assert re.search(r"notes=", link)


def test_a_page_that_is_loaded_again_shows_what_it_showed_with_its_steps(app: Any) -> None:
    before = notes(app)
    app.page.mouse.click(*middle(app, 4))
    app.page.keyboard.press("ArrowUp")
    app.page.fill("#primer", "D4 E4/2")
    edited = notes(app)
    app.page.wait_for_timeout(800)
    app.page.reload()
    app.page.wait_for_selector("html[data-loaded=yes]")
    app.ready()
    assert notes(app) == edited != before
    assert app.page.input_value("#primer") == "D4 E4/2"
    app.page.click("#undo")
    assert notes(app) == before


def test_the_last_session_is_shown_when_the_page_is_opened_again(app: Any) -> None:
    app.page.mouse.click(*middle(app, 4))
    app.page.keyboard.press("ArrowUp")
    edited = notes(app)
    app.page.wait_for_timeout(800)
    app.page.close()
    app.page = app.context.new_page()
    app.open().ready()
    assert notes(app) == edited
    app.page.click("#open-history")
    app.page.click(".sessions summary")
    app.page.fill("#sessions input", "A hymn")
    app.page.keyboard.press("Tab")
    app.page.click("#session-new")
    assert "Your opening" in app.text("#columns")
    app.page.fill("#primer", "G4")
    app.page.wait_for_timeout(800)
    app.page.click("#open-history")
    expect(app.find("#sessions li")).to_have_count(2)
    row = app.find("#sessions li").filter(has=app.page.get_by_role("button", name="Open", exact=True))
    assert row.locator("input").input_value() == "A hymn"
    row.get_by_role("button", name="Open", exact=True).click()
    app.ready()
    assert notes(app) == edited


def test_notes_are_edited_by_touch(visit: Any) -> None:
    app = visit(TUNE, viewport={"width": 390, "height": 844}, has_touch=True).ready()
    app.page.tap("button.edit")
    app.find(".roll").scroll_into_view_if_needed()
    app.page.touchscreen.tap(*middle(app, 4))
    assert chosen(app) == [4]
    app.page.tap("[data-command=octave-up]")
    assert notes(app)[4] == (96, 24, 79)


def test_the_editor_has_names_and_contrast_in_both_themes(app: Any, page_checks: dict[str, str]) -> None:
    app.page.mouse.click(*middle(app, 4))
    app.page.click("[data-lock=contour]")
    assert app.page.evaluate(page_checks["nameless"]) == []
    for _ in range(2):
        assert app.page.evaluate(page_checks["faint"])["faint"] == []
        app.page.click("#theme")


def test_the_page_is_not_wider_than_a_telephone_while_it_is_edited(visit: Any) -> None:
    app = visit(TUNE, viewport={"width": 390, "height": 844}).ready()
    app.page.click("button.edit")
    assert app.page.evaluate("document.documentElement.scrollWidth") <= 390
