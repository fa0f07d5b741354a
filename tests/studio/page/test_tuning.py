"""Tuning from the page: begun, watched, cancelled, and its model used and deleted."""

from __future__ import annotations

from typing import Any

import pytest

LONG = 60_000


@pytest.fixture
def app(visit: Any, start: Any) -> Any:
    app = visit(url=start().url)
    app.page.click("#tab-tune")
    app.find("#tune-seconds").fill("15")
    return app


@pytest.mark.slow
def test_a_tuning_shows_its_curves_and_its_model_composes(app: Any) -> None:
    app.page.fill("#tune-name", "No <b>leaps</b>")
    app.page.click("#tune")
    app.find("#jobs li[data-state=running] .curve path").first.wait_for(timeout=LONG)
    assert "is being trained" in app.text("#jobs li")
    app.find("#jobs li[data-state=done]").wait_for(timeout=LONG)
    assert app.find("#jobs .curve").all_inner_texts()[0].startswith("Reward")
    assert "No <b>leaps</b> is ready" in app.text("#jobs li")
    app.page.get_by_role("button", name="Compose with No").click()
    assert app.page.evaluate("document.activeElement.id") == "compose"
    assert "No <b>leaps</b> (tuned here)" in app.find("#model option:checked").inner_text()
    app.page.fill("#bars", "2")
    app.compose()
    assert app.find("article h2").all_inner_texts() == ["Folk tunes, plain model", "No <b>leaps</b> (tuned here)"]
    app.page.click("#model-delete")
    app.find("#announcement").filter(has_text="Deleted").wait_for()
    assert app.find("#model option").filter(has_text="tuned here").count() == 0
    assert "Folk tunes, tuned on rules" in app.find("#model option:checked").inner_text()
    app.page.click("#tab-tune")
    assert not app.page.get_by_role("button", name="Compose with No").is_visible()


def test_a_tuning_is_cancelled_by_a_press_however_long_it_is_held(app: Any) -> None:
    app.page.click("#tune")
    app.find("#jobs li[data-state=running] .curve").first.wait_for(timeout=LONG)
    app.page.get_by_role("button", name="Cancel").click(delay=1500)
    app.find("#jobs li[data-state=cancelled]").wait_for(timeout=LONG)
    assert "was cancelled" in app.text("#jobs li")
    assert not app.find("#jobs progress").is_visible()


def test_two_tunings_wait_their_turn_and_closing_the_page_stops_both(app: Any, visit: Any) -> None:
    app.page.click("#tune")
    app.find("#jobs li").first.wait_for()
    app.page.click("#tune")
    app.find("#jobs li[data-state=waiting]").wait_for(timeout=LONG)
    assert "is waiting" in app.text("#jobs li[data-state=waiting]")
    app.page.close()
    after = visit(url=app.url)
    after.page.click("#tab-tune")
    after.find("#jobs li[data-state=cancelled]").nth(1).wait_for(timeout=LONG)
    assert after.find("#jobs li").count() == 2
