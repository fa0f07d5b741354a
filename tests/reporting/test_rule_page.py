"""The page of what rules say: complete without a script, alive with one, offline, on desk and telephone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest

from cantilena.metrics import MelodyRewards, melody_rewards
from cantilena.music import Key, Melody, Meter
from cantilena.reporting import rule_page
from cantilena.reporting.text import signed_short
from cantilena.rules import RULE_SETS

DESK, TELEPHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}

TUNE = Melody.from_pitches(
    [(67, 24), (72, 12), (66, 12), (64, 24), (None, 24), *[(64, 6)] * 8, (60, 108), (71, 12), (72, 48)],
    key=Key.parse("C major"),
    pickup=24,
    title="A tune </script><b>&",
)


def scored(name: str = "rl-tuner") -> MelodyRewards:
    return melody_rewards(TUNE, RULE_SETS[name])


def payload(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="scored">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def test_the_page_says_everything_without_a_script() -> None:
    what = scored()
    page = rule_page(what, TUNE.title)
    text = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    for rule in what.rules.rules:
        assert rule.name in text
    for note in what.notes:
        assert note.place in text
    rows = re.findall(r'<li data-row="\d+">', text)
    assert len(rows) == sum(bool(note.values) for note in what.notes)
    assert 'class="note loss"' in text
    assert 'class="note gain"' in text


def test_every_note_is_in_both_scores_with_its_number() -> None:
    what = scored()
    page = rule_page(what, TUNE.title)
    wide, narrow = re.findall(r'<div class="sheet (?:wide|narrow)">(.*?)</div>', page, re.DOTALL)
    for sheet in (wide, narrow):
        shown = {int(note) for note in re.findall(r'data-note="(\d+)"', sheet)}
        assert shown == {note.note for note in what.notes if note.note >= 0}
    data = payload(page)
    assert [note["note"] for note in data["notes"]] == [note.note for note in what.notes]
    for shown_note, note in zip(data["notes"], what.notes, strict=True):
        assert {data["rules"][rule]["name"] for rule, *_ in shown_note["values"]} == set(note.values)


class Balance(HTMLParser):
    """Whether every element that is opened is closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in {"meta", "link", "br", "img", "path", "rect", "use", "polygon", "ellipse"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in {"meta", "link", "br", "img", "path", "rect", "use", "polygon", "ellipse"}:
            assert self.open.pop() == tag


def test_the_page_is_whole_stands_alone_and_is_the_same_again() -> None:
    page = rule_page(scored(), TUNE.title)
    assert page == rule_page(scored(), TUNE.title)
    balance = Balance()
    balance.feed(page)
    assert balance.open == []
    assert not re.search(r"(src|href)=\"(?!data:|#)", re.sub(r'xlink:href="#[^"]*"', "", page))
    assert not re.search(r"url\(|@import|https?://(?!www\.w3\.org/)", page)


def test_hostile_titles_and_names_are_text() -> None:
    page = rule_page(scored(), TUNE.title)
    assert "<b>&" not in page
    assert "A tune &lt;/script&gt;&lt;b&gt;&amp;" in page
    assert payload(page)["notes"]


def test_long_melodies_are_cut_in_the_score_and_counted_whole() -> None:
    long = melody_rewards(
        Melody.from_pitches([(60 + index % 5, 96) for index in range(210)], key=Key()), RULE_SETS["paper"]
    )
    page = rule_page(long, "long")
    assert "the first 200 bars" in page
    assert max(int(note) for note in re.findall(r'data-note="(\d+)"', page)) == 199
    assert len(payload(page)["notes"]) == 200


def test_silent_rules_and_odd_melodies() -> None:
    for tune in (
        Melody.from_pitches([(60, 1)]),
        Melody.from_pitches([(60, 24)] * 3, meter=Meter(1, 32)),
        Melody.from_pitches([(None, 9), (127, 3)]),
    ):
        for name in RULE_SETS:
            assert "<svg" in rule_page(melody_rewards(tune, RULE_SETS[name]), "odd")
    quiet = melody_rewards(Melody.from_pitches([(62, 24), (64, 24), (62, 24)], key=Key()), RULE_SETS["paper"])
    assert "No rewards from: key, tonic, repetition." in rule_page(quiet, "quiet")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "score.html"
    path.write_text(rule_page(scored(), TUNE.title), encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def opened(browser: Any, address: str, request: pytest.FixtureRequest) -> Iterator[Any]:
    """The page, which must neither complain nor ask for anything."""
    viewport, scheme = getattr(request, "param", (DESK, "light"))
    said: list[str] = []
    asked: list[str] = []
    page = browser.new_page(viewport=viewport, color_scheme=scheme)
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda asking: asked.append(asking.url))
    page.goto(address)
    yield page
    page.close()
    assert said == []
    assert asked == [address]


LOOKS = [(viewport, scheme) for viewport in (DESK, TELEPHONE) for scheme in ("light", "dark")]


@pytest.mark.e2e
@pytest.mark.parametrize("opened", LOOKS, indirect=True)
def test_it_fits_and_shows_one_score(opened: Any) -> None:
    assert opened.evaluate("document.documentElement.scrollWidth") <= opened.viewport_size["width"]
    assert opened.locator(".sheet:visible").count() == 1
    assert opened.locator(".sheet:visible").bounding_box()["width"] > 0.85 * min(opened.viewport_size["width"], 1100)
    words = opened.locator(".sheet:visible .words").first
    assert words.bounding_box()["height"] >= 8


@pytest.mark.e2e
def test_a_rule_is_shown_alone(opened: Any) -> None:
    what = scored()
    opened.locator(".choice button", has_text="repetition").click()
    says = next(rule.description for rule in what.rules.rules if rule.name == "repetition")
    assert opened.locator(".description").inner_text() == says
    marked = {
        int(one.get_attribute("data-note")) for one in opened.locator(".sheet:visible .note.loss[data-note]").all()
    }
    assert marked == {note.note for note in what.notes if note.values.get("repetition", 0) < 0}
    assert opened.locator(".sheet:visible .note.gain").count() == 0
    texts = opened.locator(".sheet:visible .words").all_text_contents()
    assert sorted(text for text in texts if text) == sorted(
        signed_short(note.values["repetition"]) for note in what.notes if "repetition" in note.values and note.note >= 0
    )
    opened.locator(".choice button", has_text="all rules").click()
    assert opened.locator(".sheet:visible .note.gain").count() > 0


@pytest.mark.e2e
def test_colours_differ_by_sign_and_by_scheme(browser: Any, address: str) -> None:
    seen = {}
    for scheme in ("light", "dark"):
        page = browser.new_page(viewport=DESK, color_scheme=scheme)
        page.goto(address)
        for kind in ("gain", "loss"):
            colour = f"getComputedStyle(document.querySelector('.sheet .note.{kind}')).color.match(/\\d+/g).map(Number)"
            seen[scheme, kind] = page.evaluate(colour)
        page.close()
    for scheme in ("light", "dark"):
        red, green, blue = seen[scheme, "loss"]
        assert red > green > blue - 20
        red, green, blue = seen[scheme, "gain"]
        assert green > red
        assert blue > red
    assert sum(seen["dark", "gain"]) > sum(seen["light", "gain"])


@pytest.mark.e2e
def test_a_touch_near_a_note_opens_its_card(opened: Any) -> None:
    what = scored()
    box = opened.locator(".sheet:visible [data-note='3'] .notehead").first.bounding_box()
    opened.mouse.click(box["x"] + box["width"] + 6, box["y"] + box["height"] + 6)
    card = opened.locator(".card-of-note")
    note = next(note for note in what.notes if note.note == 3)
    assert card.locator(".which").inner_text().startswith(f"{note.name}, bar {note.bar}, beat ")
    assert card.locator("dt").all_inner_texts() == list(note.values)
    assert opened.locator(".sheet:visible .halo").count() == 1
    opened.keyboard.press("ArrowRight")
    following = next(note for note in what.notes if note.note == 4)
    assert card.locator("dt").all_inner_texts() == list(following.values)
    opened.keyboard.press("Escape")
    assert not card.is_visible()
    assert opened.locator(".halo").count() == 0


@pytest.mark.e2e
def test_a_row_opens_the_card_and_a_tied_note_is_marked_whole(opened: Any) -> None:
    long = next(note for note in scored().notes if note.steps == 18)
    index = [note.note for note in scored().notes].index(long.note)
    opened.locator(f".notes li[data-row='{index}']").click()
    assert opened.locator(".card-of-note").is_visible()
    assert (
        opened.locator(".sheet:visible .halo").count()
        == opened.locator(f".sheet:visible [data-note='{long.note}']").count()
    )
    assert opened.locator(f".sheet:visible [data-note='{long.note}']").count() > 1
    opened.locator(".shut").click()
    assert not opened.locator(".card-of-note").is_visible()
