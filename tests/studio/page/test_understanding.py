"""Why a melody sounds as it does: colours, rules, and what the model expected."""

from __future__ import annotations

from typing import Any

import pytest

STATE = "#model=tunes&primer=C4+D4+E4+F4&key=C+major&bars=6&count=3&seed=5"


@pytest.fixture
def desk(visit: Any) -> Any:
    return visit(STATE).ready()


def test_rules_colour_the_notes_and_signs_say_the_same(desk: Any) -> None:
    desk.see(".choice label").filter(has_text="Rules").click()
    score, roll = desk.see("article .score g.note"), desk.see("article .roll g.note")
    for kind, sign in (("gain", "+"), ("loss", "−")):
        inked = [note for note in score.all() if kind in str(note.get_attribute("class"))]
        assert inked
        assert desk.see(f"article .roll g.note.{kind}").count() == len(inked)
        assert {
            note.locator("text").text_content() for note in roll.all() if kind in str(note.get_attribute("class"))
        } == {sign}
    assert "+ pleases" in desk.text("#legend")


def test_a_rule_shows_where_it_speaks(desk: Any) -> None:
    desk.page.click("#tab-rules")
    counts = []
    for row in desk.see("#rules li").all():
        row.locator(".rule-name").click()
        inked = desk.see("article .roll g.gain, article .roll g.loss").count()
        said = row.locator(".rule-value").inner_text()
        counts.append(inked)
        assert row.locator(".rule-name").inner_text() in desk.text("#legend")
        if inked and said == "0":
            pytest.fail("a rule colours notes and gives nothing")
    assert 0 in counts
    assert len(set(counts)) > 2
    desk.see("#legend button").click()
    assert "All rules together" in desk.text("#legend")


def test_the_card_of_a_note_says_what_each_rule_gave(desk: Any) -> None:
    desk.see(".choice label").filter(has_text="Rules").click()
    desk.page.focus("svg.roll")
    seen = set()
    for _ in range(12):
        seen.add(desk.text(".note-card"))
        desk.page.keyboard.press("ArrowRight")
    assert any("+" in text for text in seen)
    assert any("no rule speaks here" in text for text in seen)


def test_likelihood_colours_what_was_drawn_and_leaves_what_was_given(desk: Any) -> None:
    desk.see(".choice label").filter(has_text="Likelihood").click()
    kinds = [str(note.get_attribute("class")) for note in desk.see("article .roll g.note").all()]
    assert all("heat" not in kind for kind in kinds[:4])
    assert all("heat" in kind for kind in kinds[4:])
    assert len(set(kinds)) > 3
    desk.page.focus("svg.roll")
    desk.page.keyboard.press("End")
    assert "in 100" in desk.text(".note-card")


def test_the_keys_show_what_may_come_next(desk: Any) -> None:
    def tints() -> list[float]:
        fills = desk.page.evaluate(
            "[...document.querySelectorAll('.key .fill')].map((fill) => Number(fill.style.opacity))"
        )
        return [float(fill) for fill in fills]

    desk.page.focus("svg.roll")
    desk.page.keyboard.press("ArrowRight")
    desk.page.wait_for_timeout(400)
    first = tints()
    assert max(first) > 0.3
    desk.page.keyboard.press("End")
    desk.page.wait_for_timeout(100)
    assert tints() != first
    assert desk.see(".key[aria-label*=percent]").count() > 0
    desk.page.uncheck("#heat")
    assert max(tints()) == 0


def test_sliders_judge_anew_and_order_anew(desk: Any) -> None:
    before = desk.see(".card-name").all_inner_texts(), desk.text(".worth b")
    desk.page.click("#tab-rules")
    desk.page.click("#rules-none")
    desk.see(".worth b:text-is('0')").wait_for()
    assert all("off" in str(row.get_attribute("class")) for row in desk.see("#rules li").all())
    desk.see("#weight-key").fill("4")
    desk.page.wait_for_timeout(400)
    worths = [float(text.replace("−", "-")) for text in desk.see(".card-worth").all_inner_texts()]
    assert worths == sorted(worths, reverse=True)
    desk.page.click("#rules-reset")
    desk.see(f".worth b:text-is('{before[1]}')").wait_for()
    assert desk.see(".card-name").all_inner_texts() == before[0]


def test_the_papers_own_rules_can_be_chosen(desk: Any) -> None:
    desk.page.click("#tab-rules")
    desk.page.select_option("#set", "paper")
    assert desk.see("#rules li").count() == 3
    assert "3 rules count" in str(desk.see("#tune-rules").text_content())


def test_only_this_rule_plays_before_and_after(visit: Any) -> None:
    desk = visit("#model=tunes&primer=C4+D4&bars=1&count=1&seed=5&tempo=300").ready()
    desk.page.click("#tab-rules")
    desk.see("#rules li[data-rule=key] .rule-only").click()
    desk.see("#play[aria-label=Stop]").wait_for()
    desk.see("article.active h2").filter(has_text="After").wait_for(timeout=15_000)
    assert desk.see("article h2").all_inner_texts() == ["Before", "After"]
    assert "Key" in desk.text("#legend")
    desk.see("#play[aria-label=Play]").wait_for(timeout=15_000)
    worths = [float(text.replace("−", "-")) for text in desk.see(".worth b").all_inner_texts()]
    assert worths[1] >= worths[0]


def test_a_link_shows_a_typed_melody_and_where_a_rule_speaks_in_it(visit: Any) -> None:
    link = "#melody=C4/8+D4/8+E4/8+E4/8+E4/8+E4/8+E4/8+E4/8&key=C+major&colour=rules&rule=repetition&tab=rules"
    desk = visit(link)
    desk.see("article .roll g.loss").first.wait_for()
    assert desk.times("/api/compose") == 0
    assert "Repetition" in desk.text("#legend")
    assert desk.see("#pane-rules").is_visible()
    top, bottom = desk.page.evaluate(
        "(() => { const { top, bottom } = document.querySelector('[data-rule=repetition]').getBoundingClientRect();"
        "return [top, bottom]; })()"
    )
    assert top > 0
    assert bottom < 900
    assert [kind for kind in range(8) if desk.see(f"article .roll g.loss[data-note='{kind}']").count()][-1] == 7
    assert desk.see("#rules li[data-rule=repetition] .rule-value.loss").count() == 1


def test_a_melody_of_people_is_coloured_by_how_likely_the_model_held_it(visit: Any) -> None:
    desk = visit("#model=tunes&melody=C4+D4+E4+F4+G4/2+F%234/2&key=C+major&colour=probability")
    desk.see("article .roll g[class*=heat]").first.wait_for()
    kinds = [int(str(note.get_attribute("class"))[-1]) for note in desk.see("article .roll g.note").all()]
    assert len(kinds) == 6
    assert kinds[-1] == min(kinds)
