"""The test for everybody: by keyboard alone, for ears, on a telephone, in the dark, safe and offline."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.slow

TELEPHONE = {"width": 360, "height": 740}

SMALL = """
() => [...document.querySelectorAll("button, .tiles label, .check, summary")].filter((one) => one.checkVisibility())
  .map((one) => [one.innerText.slice(0, 30), one.getBoundingClientRect()])
  .filter(([, box]) => box.height < 44).map(([text]) => text)
"""


def test_the_whole_test_is_taken_by_keyboard_alone(visit: Any, serve: Any) -> None:
    listener = visit(serve(heard=2).url)
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


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_telephone_everything_fits_has_a_name_and_stands_out(
    visit: Any, serve: Any, page_checks: dict[str, str], scheme: str
) -> None:
    served = serve()
    listener = visit(served.url, TELEPHONE, color_scheme=scheme, has_touch=True)
    seen = set()
    while listener.place != "end-0":
        stage = listener.place.partition("-")[0]
        if stage in ("practice", "trial"):
            listener.hear()
            listener.page.click("summary")
        if stage not in seen:
            look(listener, page_checks)
        seen.add(stage)
        listener.do()
    look(listener, page_checks)
    assert seen == {"consent", "training", "headphones", "volume", "practice", "ready", "trial"}
    admin = visit(served.url, TELEPHONE, color_scheme=scheme).open(served.admin)
    admin.page.wait_for_selector("#rows tr")
    look(admin, page_checks)


def look(visitor: Any, page_checks: dict[str, str]) -> None:
    """What is on the page can be named, read, touched, and needs no scrolling sideways."""
    page = visitor.page
    assert page.evaluate(page_checks["nameless"]) == []
    found = page.evaluate(page_checks["faint"])
    assert found["looked"] > 3
    assert found["faint"] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(SMALL) == []


def test_what_is_missing_is_said(visit: Any, serve: Any) -> None:
    listener = visit(serve().url).until("trial-0")
    page = listener.page
    page.click("main .big")
    assert page.inner_text("[role=alert]") == "Play the clip first."
    listener.hear()
    assert page.locator("#announcement", has_text="You can answer now").count() == 1
    page.click("main .big")
    assert page.inner_text("[role=alert]") == "Say who composed it."
    listener.choose("answer", "human")
    page.click("main .big")
    assert page.inner_text("[role=alert]") == "Say how sure you are."
    assert listener.place == "trial-0"


def test_nothing_is_asked_of_anybody_else_and_a_double_press_sends_one_answer(visit: Any, serve: Any) -> None:
    listener = visit(serve().url).until("trial-0")
    listener.hear()
    listener.choose("answer", "human")
    listener.choose("confidence", 2)
    listener.page.locator("main .big").dblclick()
    listener.page.wait_for_selector("form[data-place=trial-1]")
    assert all(asked.startswith(("/", "blob:")) for asked in listener.asked)
    assert listener.asked.count("/api/sitting/answers/0") == 1


def test_a_wrong_key_opens_nothing(visit: Any, serve: Any) -> None:
    admin = visit(serve().url).open("/admin#wrong")
    admin.page.wait_for_selector("#door:not([hidden])")
    assert admin.page.locator("#progress").is_hidden()
    assert all("status of 403" in line for line in admin.wrong)
    admin.wrong.clear()


def test_letters_are_keys_only_where_one_wants_them(visit: Any, serve: Any) -> None:
    listener = visit(serve().url).until("trial-0")
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
