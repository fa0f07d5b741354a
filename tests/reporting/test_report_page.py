"""The report in a real browser: no error, no network, it plays, and it fits a telephone."""

from __future__ import annotations

import time
from typing import Any

import pytest

from cantilena.reporting.data import ReportData
from cantilena.reporting.html import write_report

pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install cantilena[dev]")

pytestmark = pytest.mark.e2e

DESK, TELEPHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def address(report_data: ReportData, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("run") / "report.html"
    write_report(path, report_data)
    return path.as_uri()


class Visit:
    """A page that is open, and what it said and asked for."""

    def __init__(self, browser: Any, address: str, viewport: dict[str, int], scheme: str = "light") -> None:
        self.page = browser.new_page(viewport=viewport, color_scheme=scheme)
        self.said: list[str] = []
        self.remark: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.said.append("a dialog"), dialog.dismiss()))
        self.page.on("request", lambda request: self.remark.append(request.url))
        self.page.goto(address)

    def __enter__(self) -> Visit:
        return self

    def __exit__(self, *_: object) -> None:
        self.page.close()


def until(page: Any, expression: str, seconds: float = 20.0) -> None:
    """Wait for something to come true (the page's own policy forbids the browser to evaluate text while it waits)."""
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"waited in vain for {expression}"
        page.wait_for_timeout(20)


def see_everything(page: Any) -> None:
    """Scroll past every card and score, so that all are unpacked."""
    for holder in page.locator(".card, .shown").all():
        holder.scroll_into_view_if_needed()
    until(
        page, "document.querySelectorAll('.score > svg').length === document.querySelectorAll('.card, .shown').length"
    )


@pytest.mark.parametrize("viewport", [DESK, TELEPHONE])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_opens_without_error_network_or_overflow(
    browser: Any, address: str, viewport: dict[str, int], scheme: str
) -> None:
    with Visit(browser, address, viewport, scheme) as visit:
        see_everything(visit.page)
        assert visit.said == []
        assert visit.remark == [address]
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


def test_the_table_scrolls_inside_its_box_on_a_telephone(browser: Any, address: str) -> None:
    with Visit(browser, address, TELEPHONE) as visit:
        box = visit.page.locator("#numbers .scroll")
        inside, outside = box.evaluate("box => [box.scrollWidth, box.clientWidth]")
        assert inside > outside
        box.evaluate("box => box.scrollTo(400, 0)")
        label = visit.page.locator("tbody th[scope=row]").first.bounding_box()
        assert label["x"] >= 0
        assert label["x"] + label["width"] < TELEPHONE["width"] / 2


def test_play_moves_the_cursors_and_lights_the_notes(browser: Any, address: str) -> None:
    with Visit(browser, address, DESK) as visit:
        card = visit.page.locator(".card").first
        card.locator(".play").click()
        cursor, stripe = card.locator(".roll .cursor"), card.locator(".score .cursor")
        until(visit.page, "document.querySelector('.card .clock').textContent.startsWith('0:01')")
        early = (cursor.bounding_box()["x"], stripe.bounding_box()["x"])
        assert card.locator(".score .note.sounding").count() == 1
        assert card.locator(".roll .note.sounding").count() == 1
        until(visit.page, "document.querySelector('.card .clock').textContent.startsWith('0:02')")
        assert cursor.bounding_box()["x"] > early[0]
        assert stripe.bounding_box()["x"] != early[1]
        assert card.locator(".play").get_attribute("aria-pressed") == "true"
        card.locator(".play").click()
        stopped = cursor.bounding_box()["x"]
        visit.page.wait_for_timeout(200)
        assert cursor.bounding_box()["x"] == stopped
        assert card.locator(".play").get_attribute("aria-pressed") == "false"
        assert visit.said == []


def test_one_melody_plays_at_a_time_and_stops_at_its_end(browser: Any, address: str) -> None:
    with Visit(browser, address, DESK) as visit:
        first, second = visit.page.locator("#melody-1-1"), visit.page.locator("#melody-3-2")
        first.locator(".play").click()
        visit.page.wait_for_timeout(150)
        second.locator(".play").click()  # a chord of one second, and half a second of rest
        assert visit.page.locator(".card.playing").count() == 1
        visit.page.wait_for_timeout(400)
        assert second.locator(".score .note.sounding").count() == 3
        until(visit.page, "!document.querySelector('.card.playing')")
        assert second.locator(".clock").inner_text() == "0:01 / 0:01"
        assert second.locator(".sounding").count() == 0


def test_a_play_button_is_seen_at_once_on_a_telephone(browser: Any, address: str) -> None:
    with Visit(browser, address, TELEPHONE) as visit:
        buttons = visit.page.locator(".samples button")
        assert [name.strip() for name in buttons.all_inner_texts()] == ["human", "lstm", "lstm+rl"]
        for button in buttons.all():
            box = button.bounding_box()
            assert box["y"] + box["height"] < TELEPHONE["height"]
            assert min(box["height"], box["width"]) >= 44
        buttons.nth(1).click()
        until(visit.page, "document.querySelector('#melody-2-1').classList.contains('playing')")
        assert buttons.nth(1).get_attribute("aria-pressed") == "true"
        until(visit.page, "document.querySelector('#melody-2-1 .clock').textContent.startsWith('0:01')")
        box = visit.page.locator("#melody-2-1").bounding_box()
        assert 0 <= box["y"] < TELEPHONE["height"] / 2
        assert visit.page.locator("#melody-2-1 .score .note.sounding").count() == 1
        visit.page.locator("#melody-2-1 .play").click()
        assert buttons.nth(1).get_attribute("aria-pressed") == "false"
        assert visit.said == []


def test_the_cursor_moves_note_by_note_through_the_score(browser: Any, address: str) -> None:
    """Looked at over time: each note head that lights up is the next one, and the stripe stands over it."""
    look = """() => {
        const card = document.querySelector('#melody-2-1');
        const lit = card.querySelector('.score .note.sounding'), stripe = card.querySelector('.score .cursor');
        if (!lit) return null;
        const head = lit.querySelector('.notehead').getBoundingClientRect(), box = stripe.getBoundingClientRect();
        const notes = [...card.querySelectorAll('.score .note')];
        return [notes.indexOf(lit), box.left <= head.left + 2 && head.right - 2 <= box.right];
    }"""
    with Visit(browser, address, DESK) as visit:
        visit.page.locator("#melody-2-1 .play").click()
        seen: list[int] = []
        end = time.monotonic() + 20
        while time.monotonic() < end and (not seen or seen[-1] < 6):
            found = visit.page.evaluate(look)
            if found is not None and (not seen or found[0] != seen[-1]):
                seen.append(found[0])
                assert found[1], "the stripe stands beside the note"
            visit.page.wait_for_timeout(30)
        assert seen[-1] >= 6
        assert seen == sorted(seen)


def test_links_of_copies_lead_there_and_back_and_both_scores_play(browser: Any, address: str) -> None:
    with Visit(browser, address, DESK) as visit:
        link = visit.page.locator("#melody-2-1 .to-copy")
        assert link.inner_text().startswith("12 notes as in ")
        link.click()
        passage = visit.page.locator(visit.page.evaluate("location.hash"))
        assert passage.locator("h3").inner_text() == "12 notes: lstm, m12"
        until(visit.page, "document.querySelector('#copy-1').getBoundingClientRect().top < innerHeight / 2")
        until(visit.page, "document.querySelectorAll('#copy-1 .score > svg').length === 2")
        assert passage.locator(".score .note.copied").count() == 24
        assert (
            not passage.locator(".card")
            .first.locator(".score .note")
            .first.evaluate("note => note.classList.contains('copied')")
        )
        colour = "note => getComputedStyle(note.querySelector('.notehead')).color"
        first, second = passage.locator(".card").first.locator(".score .note").all()[:2]
        assert first.evaluate(colour) != second.evaluate(colour)
        passage.locator(".play").nth(1).click()
        until(visit.page, "document.querySelector('#copy-1 .card.playing .clock')?.textContent.startsWith('0:01')")
        assert passage.locator(".card").nth(1).locator(".score .note.sounding").count() == 1
        passage.locator(".play").nth(1).click()
        passage.get_by_text("The whole melody").click()
        assert visit.page.evaluate("location.hash") == "#melody-2-1"
        assert visit.said == []


def test_figures_can_be_read_in_the_dark_and_on_a_telephone(browser: Any, address: str) -> None:
    with Visit(browser, address, TELEPHONE, "dark") as visit:
        panels = visit.page.locator("#figures .panels").first
        widths = panels.locator("svg").evaluate_all("all => all.map((one) => one.getBoundingClientRect().width)")
        assert all(250 < width <= TELEPHONE["width"] for width in widths)
        title = panels.locator("svg text").first
        assert title.evaluate("text => getComputedStyle(text).fill") == visit.page.evaluate(
            "getComputedStyle(document.body).color"
        )
        assert title.bounding_box()["height"] > 9


def test_what_is_folded_can_be_unfolded(browser: Any, address: str) -> None:
    with Visit(browser, address, TELEPHONE) as visit:
        details = visit.page.locator("#differences details").first
        assert not details.locator("li").first.is_visible()
        details.locator("summary").click()
        assert details.locator("li").first.is_visible()
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= TELEPHONE["width"]


def test_touching_the_roll_goes_there(browser: Any, address: str) -> None:
    with Visit(browser, address, DESK) as visit:
        card = visit.page.locator(".card").nth(1)
        card.scroll_into_view_if_needed()
        roll = card.locator(".roll")
        roll.locator("svg").wait_for()
        box = roll.bounding_box()
        note = roll.locator(".note").nth(6).bounding_box()
        roll.click(position={"x": note["x"] - box["x"] + note["width"] / 2, "y": 5})
        until(visit.page, "document.querySelectorAll('.card')[1].querySelector('.clock').textContent[3] !== '0'")
        assert roll.locator(".note.sounding").evaluate("note => note.dataset.note") == "6"
        assert card.locator(".clock").inner_text().startswith("0:01")


def test_what_is_heard_is_the_piano(browser: Any, address: str) -> None:
    """The page's own piano, listened to: its sound is neither silence nor clipped."""
    listen = """async () => {
        await piano.open();
        const notes = [[0, 0.5, 60], [0.5, 1.0, 64]];
        await piano.learn(notes);
        const ear = piano.context.createAnalyser();
        ear.fftSize = 4096;
        piano.out.connect(ear);
        piano.play(notes, 0);
        let loudest = 0;
        const samples = new Float32Array(ear.fftSize);
        for (let look = 0; look < 20; look++) {
            await new Promise((done) => setTimeout(done, 50));
            ear.getFloatTimeDomainData(samples);
            for (const sample of samples) loudest = Math.max(loudest, Math.abs(sample));
        }
        return [loudest, piano.context.state, piano.clips.size];
    }"""
    with Visit(browser, address, DESK) as visit:
        visit.page.locator("body").click()
        loudest, state, clips = visit.page.evaluate(listen)
        if state != "running":
            pytest.skip("this browser has no sound device to play on")
        assert clips == 2
        assert 0.05 < loudest < 1.0


def test_colours_follow_the_readers_scheme(browser: Any, address: str) -> None:
    lightness = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)"
    with Visit(browser, address, DESK, "light") as visit:
        assert min(visit.page.evaluate(lightness)) > 200
    with Visit(browser, address, DESK, "dark") as visit:
        assert max(visit.page.evaluate(lightness)) < 50
