"""Why a melody sounds as it does: colours, rules, and what the model expected."""

from __future__ import annotations

import re
from typing import Any

import pytest

STATE = "#model=tunes&primer=C4+D4+E4+F4&key=C+major&bars=7&count=3&seed=5"


@pytest.fixture
def app(visit: Any) -> Any:
    return visit(STATE).ready()


def test_rules_colour_the_notes_and_signs_say_the_same(app: Any) -> None:
    app.find(".choice label").filter(has_text="Rules").click()
    score, roll = app.find("article .score g.note"), app.find("article .roll g.note")
    for kind, sign in (("gain", "+"), ("loss", "−")):
        inked = [note for note in score.all() if kind in str(note.get_attribute("class"))]
        assert inked
        assert app.find(f"article .roll g.note.{kind}").count() == len(inked)
        assert {
            note.locator("text").text_content() for note in roll.all() if kind in str(note.get_attribute("class"))
        } == {sign}
    assert "+ rewarded" in app.text("#legend")


def test_a_rule_shows_where_it_speaks(visit: Any) -> None:
    app = visit(STATE.replace("model=tunes", "model=tunes%2Brl-tuner")).ready()  # of which many rules speak
    app.page.click("#tab-rules")
    counts = []
    for row in app.find("#rules li").all():
        row.locator(".rule-name").click()
        inked = app.find("article .roll g.gain, article .roll g.loss").count()
        said = row.locator(".rule-value").inner_text()
        counts.append(inked)
        assert row.locator(".rule-name").inner_text() in app.text("#legend")
        if inked and said == "0":
            pytest.fail("a rule colours notes and gives nothing")
    assert 0 in counts
    assert len(set(counts)) > 2
    app.find("#legend button").click()
    assert "All rules together" in app.text("#legend")


def test_the_card_of_a_note_says_what_each_rule_gave(app: Any) -> None:
    app.find(".choice label").filter(has_text="Rules").click()
    app.page.focus("svg.roll")
    seen = set()
    for _ in range(12):
        seen.add(app.text(".note-info"))
        app.page.keyboard.press("ArrowRight")
    assert any("+" in text for text in seen)
    assert any("no rule applies here" in text for text in seen)


def test_likelihood_colours_what_was_drawn_and_leaves_what_was_given(app: Any) -> None:
    app.find(".choice label").filter(has_text="Likelihood").click()
    kinds = [str(note.get_attribute("class")) for note in app.find("article .roll g.note").all()]
    assert all("heat" not in kind for kind in kinds[:4])
    assert all("heat" in kind for kind in kinds[4:])
    assert len(set(kinds)) > 3
    app.page.focus("svg.roll")
    app.page.keyboard.press("End")
    assert "% likely" in app.text(".note-info")


def test_the_keys_show_what_may_come_next(app: Any) -> None:
    def tints() -> list[float]:
        fills = app.page.evaluate(
            "[...document.querySelectorAll('.key .fill')].map((fill) => Number(fill.style.opacity))"
        )
        return [float(fill) for fill in fills]

    app.page.focus("svg.roll")
    app.page.keyboard.press("ArrowRight")
    app.page.wait_for_timeout(400)
    first = tints()
    assert max(first) > 0.3
    app.page.keyboard.press("End")
    app.page.wait_for_timeout(100)
    assert tints() != first
    assert app.find(".key[aria-label*=percent]").count() > 0
    app.page.uncheck("#predictions")
    assert max(tints()) == 0


@pytest.mark.parametrize("model", ["tunes%2Brl", "tunes%2Brl-tuner"])
def test_the_keys_and_the_note_say_the_same(visit: Any, model: str) -> None:
    app = visit(f"#model={model}&primer=C4+D4&key=C+major&bars=4&count=1&seed=5&colour=probability").ready()
    app.page.focus("svg.roll")
    app.find(".key[aria-label*=percent]").first.wait_for()
    melody = app.melody()
    sixteenths = [onset // 6 for onset, _ in melody]
    for number, (_, pitch) in enumerate(melody):
        if number > 1 and sixteenths.count(sixteenths[number]) == 1:
            said = re.search(r"([\d.]+) % likely", app.text(".note-info"))
            shown = re.search(r", (\d+) percent", app.find(f'.key[data-pitch="{pitch}"]').get_attribute("aria-label"))
            assert said
            assert float(said[1]) == pytest.approx(float(shown[1]) if shown else 0.0, abs=1.0)
        app.page.keyboard.press("ArrowRight")


def test_how_daring_the_model_is_is_said_in_words(visit: Any) -> None:
    app = visit()
    app.page.click("#more summary")
    said = []
    for value in ("0.4", "0.8", "1", "1.3", "2"):
        app.page.fill("#temperature", value)
        said.append(app.text("#temperature-value"))
    assert said == ["very cautious (0.4)", "cautious (0.8)", "as it learned (1)", "daring (1.3)", "wild (2)"]


def test_sliders_judge_anew_and_order_anew(app: Any) -> None:
    before = app.find(".card-name").all_inner_texts(), app.text(".total b")
    app.page.click("#tab-rules")
    app.page.click("#rules-none")
    app.find(".total b:text-is('0')").wait_for()
    assert all("off" in str(row.get_attribute("class")) for row in app.find("#rules li").all())
    app.find("#weight-key").fill("4")
    app.page.wait_for_timeout(400)
    totals = [float(text.replace("−", "-")) for text in app.find(".card-total").all_inner_texts()]
    assert totals == sorted(totals, reverse=True)
    app.page.click("#rules-reset")
    app.find(f".total b:text-is('{before[1]}')").wait_for()
    assert app.find(".card-name").all_inner_texts() == before[0]


def test_the_papers_own_rules_can_be_chosen(app: Any) -> None:
    app.page.click("#tab-rules")
    app.page.select_option("#set", "paper")
    assert app.find("#rules li").count() == 3
    assert "3 rules apply" in str(app.find("#tune-rules").text_content())


def test_only_this_rule_plays_before_and_after(visit: Any) -> None:
    app = visit("#model=tunes&primer=C4+D4&bars=2&count=1&seed=5&tempo=300").ready()
    app.page.click("#tab-rules")
    app.find("#rules li[data-rule=key] .rule-only").click()
    app.find("#play[aria-label=Stop]").wait_for()
    app.find("article.active h2").filter(has_text="After").wait_for(timeout=15_000)
    assert app.find("article h2").all_inner_texts() == ["Before", "After"]
    assert "Key" in app.text("#legend")
    app.find("#play[aria-label=Play]").wait_for(timeout=15_000)
    totals = [float(text.replace("−", "-")) for text in app.find(".total b").all_inner_texts()]
    assert totals[1] >= totals[0]


def test_a_link_shows_a_typed_melody_and_where_a_rule_speaks_in_it(visit: Any) -> None:
    link = "#melody=C4/8+D4/8+E4/8+E4/8+E4/8+E4/8+E4/8+E4/8&key=C+major&colour=rules&rule=repetition&tab=rules"
    app = visit(link)
    app.find("article .roll g.loss").first.wait_for()
    assert app.count_requests("/api/compose") == 0
    assert "Repetition" in app.text("#legend")
    assert app.find("#pane-rules").is_visible()
    top, bottom = app.page.evaluate(
        "(() => { const { top, bottom } = document.querySelector('[data-rule=repetition]').getBoundingClientRect();"
        "return [top, bottom]; })()"
    )
    assert top > 0
    assert bottom < 900
    assert [kind for kind in range(8) if app.find(f"article .roll g.loss[data-note='{kind}']").count()][-1] == 7
    assert app.find("#rules li[data-rule=repetition] .rule-value.loss").count() == 1


def test_a_melody_of_people_is_coloured_by_how_likely_the_model_held_it(visit: Any) -> None:
    app = visit("#model=tunes&melody=C4+D4+E4+F4+G4/2+F%234/2&key=C+major&colour=probability")
    app.find("article .roll g[class*=heat]").first.wait_for()
    kinds = [int(str(note.get_attribute("class"))[-1]) for note in app.find("article .roll g.note").all()]
    assert len(kinds) == 6
    assert kinds[-1] == min(kinds)


def test_the_note_at_the_cursor_says_in_words_what_the_rules_made_of_it(visit: Any) -> None:
    app = visit("#melody=C4+D4+E4+F%234+G4+A4+B4+C5&key=C+major&model=tunes&colour=rules&rule=key").ready()
    app.page.focus("#music")
    for _ in range(3):
        app.page.keyboard.press("ArrowRight")
    app.page.locator(".note-info .loss").wait_for()
    assert "−1 key" in app.text(".note-info")
    assert "broken" in app.text(".note-info")
    assert "key" in app.text(".note-info .loss .soft").lower()


def test_on_a_telephone_the_melody_comes_before_the_settings(visit: Any) -> None:
    app = visit("#primer=C4+D4+E4&bars=4&count=2&seed=3", viewport={"width": 390, "height": 844}).ready()
    script = "(selector) => document.querySelector(selector).getBoundingClientRect().toJSON()"
    assert app.page.evaluate(script, "#music")["top"] < app.page.evaluate(script, "#panel")["top"]
    assert app.page.evaluate(script, "article .score")["top"] < 500
    app.page.evaluate("document.getElementById('compose').scrollIntoView({ block: 'end' })")
    assert app.page.evaluate(script, "#compose")["bottom"] <= app.page.evaluate(script, ".dock")["top"] + 1
