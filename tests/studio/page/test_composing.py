"""Composing on the page: one press, melodies that appear, and what can be done with them."""

from __future__ import annotations

from typing import Any

PAIR = "#model=tunes%2Brl&compare=tunes&primer=C4+D4+E4+G4&key=C+major&bars=4&count=2&seed=5"


def test_somebody_who_knows_nothing_presses_the_button_and_has_four_melodies(visit: Any) -> None:
    app = visit()
    assert app.text("h1") == "Cantilena Studio"
    assert "Your opening" in app.text("#columns")
    app.compose()
    assert app.count_requests("/api/compose") == 1
    assert app.find(".card").count() == 4
    assert app.find("article .score svg .notehead").count() > 10
    assert app.find("article .roll g.note").count() == app.find("article .score svg g.note").count()
    assert "E minor · 4/4 · melody" in app.text(".facts")


def test_the_best_by_the_rules_comes_first_and_is_shown(visit: Any) -> None:
    app = visit().compose()
    totals = [float(text.replace("−", "-")) for text in app.find(".card-total").all_inner_texts()]
    assert totals == sorted(totals, reverse=True)
    assert float(app.text(".total b").replace("−", "-")) == totals[0]


def test_notes_appear_while_they_are_composed(visit: Any) -> None:
    app = visit("#model=tunes%2Brl&primer=&bars=24&count=4&seed=2&show=1")
    app.page.evaluate(
        """() => {
          window.seen = [];
          new MutationObserver(() => {
            const count = document.querySelectorAll("svg.roll g.note").length;
            if (count && window.seen.at(-1) !== count) window.seen.push(count);
          }).observe(document.getElementById("columns"), { childList: true, subtree: true });
        }"""
    )
    app.compose()
    counts = app.page.evaluate("window.seen")
    assert len(counts) > 3
    assert min(counts) < counts[-1] / 2


def test_a_model_and_its_plain_sister_stand_side_by_side(visit: Any) -> None:
    app = visit(PAIR).ready()
    assert app.count_requests("/api/compose") == 2
    assert app.find("article h2").all_inner_texts() == ["Folk tunes, plain model", "Folk tunes, tuned on rules"]
    left, right = app.page.evaluate(
        "[...document.querySelectorAll('article')].map((one) => one.getBoundingClientRect().toJSON())"
    )
    assert left["right"] <= right["left"]
    assert left["top"] == right["top"]
    primers = [app.find("article").nth(number).locator(".roll .note.primer").count() for number in range(2)]
    assert primers == [4, 4]


def test_the_switch_for_the_plain_sister_is_there_only_where_there_is_one(visit: Any) -> None:
    app = visit()
    assert not app.find("#compare").is_visible()
    app.page.select_option("#model", "tunes+rl")
    assert app.find("#compare").is_visible()


def test_the_same_seed_gives_the_same_melody_and_a_new_one_another(visit: Any) -> None:
    app = visit("#primer=C4+D4&bars=4&count=1&seed=7").ready()
    first = app.melody()
    app.page.check("#lock-seed")
    assert app.compose().melody() == first
    app.page.uncheck("#lock-seed")
    assert app.compose().melody() != first
    seed = app.find("#seed").input_value()
    assert seed != "7"
    assert f"seed={seed}" in app.page.evaluate("location.hash")
    assert f"seed {seed}" in app.text(".facts")
    app.page.fill("#seed", "7")  # who types a seed wants it
    assert app.find("#lock-seed").is_checked()
    assert app.compose().melody() == first


def test_typed_notes_stay_as_they_were_typed_whatever_the_key(visit: Any) -> None:
    app = visit("#primer=C4+D4+E4+F4&key=G+major&bars=2&count=1").ready()
    assert app.melody()[:4] == [(0, "60"), (24, "62"), (48, "64"), (72, "65")]
    assert "G major" in app.text(".facts")


def test_a_melody_is_kept_and_another_discarded(visit: Any) -> None:
    app = visit("#primer=C4+D4&bars=2&count=3&seed=3").ready()
    app.page.click(".card:nth-child(1) .keep")
    assert app.find(".card:nth-child(1) .keep").get_attribute("aria-pressed") == "true"
    assert app.find(".tools").get_by_role("button", name="Kept").count() == (
        1 if app.find(".card.shown").count() else 0
    )
    app.page.click(".card:nth-child(2) .close")
    assert app.find(".card").count() == 2


def test_it_goes_on_from_the_cursor(visit: Any) -> None:
    app = visit("#primer=C4+D4+E4+F4&key=C+major&bars=2&count=1&seed=4").ready()
    app.page.focus("svg.roll")
    for _ in range(4):
        app.page.keyboard.press("ArrowRight")
    app.page.get_by_role("button", name="Continue from here").click()
    app.ready()
    assert app.find("#primer").input_value() == "C4 D4 E4 F4"
    assert app.find("article .roll .note.primer").count() == 4


def test_chosen_bars_are_composed_anew_and_the_others_stay(visit: Any) -> None:
    app = visit("#primer=C4+D4+E4+F4&key=C+major&bars=8&count=1&seed=4").ready()
    before = app.melody()
    roll = app.find("svg.roll").bounding_box()
    bar = roll["width"] / 8
    app.page.mouse.move(roll["x"] + 3.3 * bar, roll["y"] + 60)
    app.page.mouse.down()
    app.page.mouse.move(roll["x"] + 4.7 * bar, roll["y"] + 60, steps=4)
    app.page.mouse.up()
    app.page.get_by_role("button", name="Rewrite bars 4–5").click()
    app.page.wait_for_selector(".card:nth-child(3)")
    assert "rewritten" in app.text(".facts")
    after = app.melody()
    assert before != after
    assert [note for note in after if not 288 <= note[0] < 480] == [note for note in before if not 288 <= note[0] < 480]


def test_what_is_being_composed_can_be_stopped(visit: Any) -> None:
    app = visit("#primer=C4+D4&bars=2&count=1").ready()
    before = app.melody()
    app.page.route("**/api/compose", lambda route: None)  # a studio that takes its time
    app.page.fill("#primer", "G4 F4")
    app.page.click("#compose")
    app.page.wait_for_timeout(600)
    assert app.text("#compose") == "Composing …"
    app.page.click("#compose")
    app.ready()
    assert app.melody() == before


def test_what_cannot_be_composed_is_said_in_words(visit: Any) -> None:
    app = visit()
    app.page.click("#more summary")
    app.page.fill("#range", "nonsense")
    app.page.click("#compose")
    app.find("#compose-error").wait_for()
    assert "nonsense" in app.text("#compose-error")
