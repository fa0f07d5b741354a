"""Composing on the page: one press, melodies that appear, and what can be done with them."""

from __future__ import annotations

from typing import Any

PAIR = "#model=tunes%2Brl&compare=tunes&primer=C4+D4+E4+G4&key=C+major&bars=4&count=2&seed=5"


def test_somebody_who_knows_nothing_presses_the_button_and_has_four_melodies(visit: Any) -> None:
    desk = visit()
    assert desk.text("h1") == "Cantilena Studio"
    assert "Your beginning" in desk.text("#columns")
    desk.compose()
    assert desk.times("/api/compose") == 1
    assert desk.see(".card").count() == 4
    assert desk.see("article .score svg .notehead").count() > 10
    assert desk.see("article .roll g.note").count() == desk.see("article .score svg g.note").count()
    assert "E minor · 4/4 · number" in desk.text(".facts")


def test_the_best_by_the_rules_comes_first_and_is_shown(visit: Any) -> None:
    desk = visit().compose()
    worths = [float(text.replace("−", "-")) for text in desk.see(".card-worth").all_inner_texts()]
    assert worths == sorted(worths, reverse=True)
    assert float(desk.text(".worth b").replace("−", "-")) == worths[0]


def test_notes_appear_while_they_are_composed(visit: Any) -> None:
    desk = visit("#model=tunes%2Brl&primer=&bars=24&count=4&seed=2&show=1")
    desk.page.evaluate(
        """() => {
          window.seen = [];
          new MutationObserver(() => {
            const count = document.querySelectorAll("svg.roll g.note").length;
            if (count && window.seen.at(-1) !== count) window.seen.push(count);
          }).observe(document.getElementById("columns"), { childList: true, subtree: true });
        }"""
    )
    desk.compose()
    counts = desk.page.evaluate("window.seen")
    assert len(counts) > 3
    assert min(counts) < counts[-1] / 2


def test_a_model_and_its_plain_sister_stand_side_by_side(visit: Any) -> None:
    desk = visit(PAIR).ready()
    assert desk.times("/api/compose") == 2
    assert desk.see("article h2").all_inner_texts() == ["Folk tunes, plain model", "Folk tunes, tuned on rules"]
    left, right = desk.page.evaluate(
        "[...document.querySelectorAll('article')].map((one) => one.getBoundingClientRect().toJSON())"
    )
    assert left["right"] <= right["left"]
    assert left["top"] == right["top"]
    primers = [desk.see("article").nth(number).locator(".roll .note.primer").count() for number in range(2)]
    assert primers == [4, 4]


def test_the_switch_for_the_plain_sister_is_there_only_where_there_is_one(visit: Any) -> None:
    desk = visit()
    assert desk.see("#compare").is_visible()
    desk.page.select_option("#model", "tunes")
    assert not desk.see("#compare").is_visible()


def test_the_same_seed_gives_the_same_melody_and_a_new_one_another(visit: Any) -> None:
    desk = visit("#primer=C4+D4&bars=4&count=1&seed=7").ready()
    first = desk.melody()
    assert desk.compose().melody() == first
    desk.page.click("#more summary")
    desk.page.check("#fresh")
    assert desk.compose().melody() != first
    assert desk.see("#seed").input_value() == "8"


def test_typed_notes_stay_as_they_were_typed_whatever_the_key(visit: Any) -> None:
    desk = visit("#primer=C4+D4+E4+F4&key=G+major&bars=2&count=1").ready()
    assert desk.melody()[:4] == [(0, "60"), (24, "62"), (48, "64"), (72, "65")]
    assert "G major" in desk.text(".facts")


def test_a_melody_is_kept_and_another_discarded(visit: Any) -> None:
    desk = visit("#primer=C4+D4&bars=2&count=3&seed=3").ready()
    desk.page.click(".card:nth-child(1) .keep")
    assert desk.see(".card:nth-child(1) .keep").get_attribute("aria-pressed") == "true"
    assert desk.see(".tools").get_by_role("button", name="Kept").count() == (
        1 if desk.see(".card.shown").count() else 0
    )
    desk.page.click(".card:nth-child(2) .shut")
    assert desk.see(".card").count() == 2


def test_it_goes_on_from_the_cursor(visit: Any) -> None:
    desk = visit("#primer=C4+D4+E4+F4&key=C+major&bars=2&count=1&seed=4").ready()
    desk.page.focus("svg.roll")
    for _ in range(4):
        desk.page.keyboard.press("ArrowRight")
    desk.page.get_by_role("button", name="Continue from here").click()
    desk.ready()
    assert desk.see("#primer").input_value() == "C4 D4 E4 F4"
    assert desk.see("article .roll .note.primer").count() == 4


def test_chosen_bars_are_composed_anew_and_the_others_stay(visit: Any) -> None:
    desk = visit("#primer=C4+D4+E4+F4&key=C+major&bars=7&count=1&seed=4").ready()
    before = desk.melody()
    roll = desk.see("svg.roll").bounding_box()
    bar = roll["width"] / 8
    desk.page.mouse.move(roll["x"] + 3.3 * bar, roll["y"] + 60)
    desk.page.mouse.down()
    desk.page.mouse.move(roll["x"] + 4.7 * bar, roll["y"] + 60, steps=4)
    desk.page.mouse.up()
    desk.page.get_by_role("button", name="Rewrite bars 4–5").click()
    desk.page.wait_for_selector(".card:nth-child(3)")
    assert "anew" in desk.text(".facts")
    after = desk.melody()
    assert before != after
    assert [note for note in after if not 288 <= note[0] < 480] == [note for note in before if not 288 <= note[0] < 480]


def test_what_is_being_composed_can_be_stopped(visit: Any) -> None:
    desk = visit("#primer=C4+D4&bars=2&count=1").ready()
    before = desk.melody()
    desk.page.route("**/api/compose", lambda route: None)  # a studio that takes its time
    desk.page.fill("#primer", "G4 F4")
    desk.page.click("#compose")
    desk.page.wait_for_timeout(600)
    assert desk.text("#compose") == "Composing …"
    desk.page.click("#compose")
    desk.ready()
    assert desk.melody() == before


def test_what_cannot_be_composed_is_said_in_words(visit: Any) -> None:
    desk = visit()
    desk.page.click("#more summary")
    desk.page.fill("#range", "nonsense")
    desk.page.click("#compose")
    desk.see("#compose-error").wait_for()
    assert "nonsense" in desk.text("#compose-error")
