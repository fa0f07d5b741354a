"""Accessibility of the page: keyboard, names, contrast, small screens; and messages, shortcuts and keys."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.e2e

SHORT = 0.1
"""Seconds of the shortest clip."""

PHONE = {"width": 360, "height": 740}

SMALL_TARGETS = """
() => [...document.querySelectorAll("button, .tiles label, .check, summary")].filter((one) => one.checkVisibility())
  .map((one) => [one.innerText.slice(0, 30), one.getBoundingClientRect()])
  .filter(([, box]) => box.height < 44).map(([text]) => text)
"""


def test_the_whole_test_can_be_taken_by_keyboard(visit: Any, serve: Any) -> None:
    listener = visit(serve(clips_per_listener=2, seconds=SHORT).url)
    page, keys = listener.page, listener.page.keyboard

    def reach(selector: str) -> None:
        for _ in range(30):
            if page.locator(f"{selector}:focus").count():
                return
            keys.press("Tab")
        raise AssertionError(selector)

    for _ in range(40):
        before, stage = listener.place, listener.place.partition("-")[0]
        if stage == "end":
            break
        assert page.evaluate("document.activeElement.tagName") == "H1"
        if stage in ("headphones", "volume", "practice", "trial"):
            page.wait_for_selector(".player[data-ready]")
            if stage in ("practice", "trial"):
                keys.press("p")
            else:
                reach(".play")
                keys.press("Enter")
            page.locator(".play", has_text="Play again").wait_for()
        if stage == "headphones":
            reach("[name=quietest]")
            keys.press("Space")
            for _ in range(int(before[-1])):
                keys.press("ArrowDown")
        if stage in ("practice", "trial"):
            keys.press("h")
            keys.press("3")
            keys.press("k")
            assert page.locator("fieldset input:checked").count() == 3
        if stage in ("practice", "trial", "headphones"):
            keys.press("Enter")
        else:
            reach("main .big")
            keys.press("Enter")
        page.wait_for_selector(f"main > form:not([data-place='{before}'])")
    assert listener.place == "end-0"


def test_everything_fits_on_a_phone_and_has_a_name_and_contrast(
    visit: Any, serve: Any, page_checks: dict[str, str]
) -> None:
    served = serve(seconds=SHORT)
    listener = visit(served.url, PHONE, has_touch=True)
    seen = set()
    while listener.place != "end-0":
        stage = listener.place.partition("-")[0]
        if stage in ("practice", "trial"):
            listener.hear()
            listener.page.click("summary")
        if stage not in seen:
            check_page(listener, page_checks)
        seen.add(stage)
        listener.do()
    check_page(listener, page_checks)
    assert seen == {"consent", "training", "headphones", "volume", "practice", "ready", "trial"}
    admin = visit(served.url, PHONE).open(served.admin)
    admin.page.wait_for_selector("#rows tr")
    check_page(admin, page_checks)


def check_page(visitor: Any, page_checks: dict[str, str]) -> None:
    """In light and dark, controls have names and are large enough, text has contrast, and nothing overflows."""
    page = visitor.page
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate(page_checks["nameless"]) == []
        contrast = page.evaluate(page_checks["faint"])
        assert contrast["looked"] > 3
        assert contrast["faint"] == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.evaluate(SMALL_TARGETS) == []


def test_missing_answers_are_named(visit: Any, serve: Any) -> None:
    listener = visit(serve(seconds=SHORT).url).until("trial-0")
    page = listener.page
    page.click("main .big")
    assert page.inner_text("[role=alert]") == "Play the clip first."
    listener.hear()
    assert page.locator("#announcement", has_text="You can answer now").count() == 1
    page.click("main .big")
    assert page.inner_text("[role=alert]") == "Choose human or computer."
    listener.choose("answer", "human")
    page.click("main .big")
    assert page.inner_text("[role=alert]") == "Choose how sure you are."
    assert listener.place == "trial-0"


def test_requests_go_to_the_server_only_and_a_double_click_sends_one_answer(visit: Any, serve: Any) -> None:
    listener = visit(serve(seconds=SHORT).url).until("trial-0")
    listener.hear()
    listener.choose("answer", "human")
    listener.choose("confidence", 2)
    listener.page.locator("main .big").dblclick()
    listener.page.wait_for_selector("form[data-place=trial-1]")
    assert all(request.startswith(("/", "blob:")) for request in listener.requests)
    assert listener.requests.count("/api/sitting/answers/0") == 1


def test_a_wrong_key_shows_nothing(visit: Any, serve: Any) -> None:
    admin = visit(serve(seconds=SHORT).url).open("/admin#wrong")
    admin.page.wait_for_selector("#login:not([hidden])")
    assert admin.page.locator("#progress").is_hidden()
    assert all("status of 403" in line for line in admin.errors)
    admin.errors.clear()


def test_shortcuts_can_be_switched_off(visit: Any, serve: Any) -> None:
    listener = visit(serve(seconds=SHORT).url).until("trial-0")
    page, keys = listener.page, listener.page.keyboard
    listener.hear()
    page.uncheck("[name=letters]")
    for key in "phck14":
        keys.press(key)
    assert page.locator("fieldset input:checked").count() == 0
    assert page.inner_text(".play") == "Play again"
    page.reload()
    page.wait_for_selector("form[data-place=trial-0]")
    assert page.locator("[name=letters]").is_checked() is False
    listener.hear()
    page.check("[name=letters]")
    keys.press("h")
    assert page.locator("[value=human]").is_checked()
