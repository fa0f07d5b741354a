"""Tuning from the page: begun, watched, cancelled, and its model used and deleted."""

from __future__ import annotations

from typing import Any

import pytest

LONG = 60_000


@pytest.fixture
def desk(visit: Any, start: Any) -> Any:
    desk = visit(url=start().url)
    desk.page.click("#tab-tune")
    desk.see("#tune-seconds").fill("15")
    return desk


@pytest.mark.slow
def test_a_tuning_shows_its_curves_and_its_model_composes(desk: Any) -> None:
    desk.page.fill("#tune-name", "No <b>leaps</b>")
    desk.page.click("#tune")
    desk.see("#jobs li[data-state=running] .curve path").first.wait_for(timeout=LONG)
    assert "practises" in desk.text("#jobs li")
    desk.see("#jobs li[data-state=done]").wait_for(timeout=LONG)
    assert desk.see("#jobs .curve").all_inner_texts()[0].startswith("Reward")
    assert "No <b>leaps</b> is ready" in desk.text("#jobs li")
    desk.page.get_by_role("button", name="Compose with No").click()
    assert desk.page.evaluate("document.activeElement.id") == "compose"
    assert "No <b>leaps</b> (tuned here)" in desk.see("#model option:checked").inner_text()
    desk.page.fill("#bars", "2")
    desk.compose()
    assert desk.see("article h2").all_inner_texts() == ["Folk tunes, plain model", "No <b>leaps</b> (tuned here)"]
    desk.page.click("#model-delete")
    desk.see("#said").filter(has_text="Deleted").wait_for()
    assert desk.see("#model option").filter(has_text="tuned here").count() == 0
    assert "Folk tunes, tuned on rules" in desk.see("#model option:checked").inner_text()
    desk.page.click("#tab-tune")
    assert not desk.page.get_by_role("button", name="Compose with No").is_visible()


def test_a_tuning_is_cancelled_by_a_press_however_long_it_is_held(desk: Any) -> None:
    desk.page.click("#tune")
    desk.see("#jobs li[data-state=running] .curve").first.wait_for(timeout=LONG)
    desk.page.get_by_role("button", name="Cancel").click(delay=1500)
    desk.see("#jobs li[data-state=cancelled]").wait_for(timeout=LONG)
    assert "was cancelled" in desk.text("#jobs li")
    assert not desk.see("#jobs progress").is_visible()


def test_two_tunings_wait_their_turn_and_closing_the_page_stops_both(desk: Any, visit: Any) -> None:
    desk.page.click("#tune")
    desk.see("#jobs li").first.wait_for()
    desk.page.click("#tune")
    desk.see("#jobs li[data-state=waiting]").wait_for(timeout=LONG)
    assert "waits its turn" in desk.text("#jobs li[data-state=waiting]")
    desk.page.close()
    after = visit(url=desk.url)
    after.page.click("#tab-tune")
    after.see("#jobs li[data-state=cancelled]").nth(1).wait_for(timeout=LONG)
    assert after.see("#jobs li").count() == 2
