"""The page of styles: it fits, is quiet, asks for nothing but a recording that is played, and takes any words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from cantilena.io import write
from cantilena.music import Key, Melody
from cantilena.reporting import figures
from cantilena.reporting.style_page import ShownStyle, style_page

HOSTILE = "</style><script>alert(1)</script><img src=x>\"'&$"
DESK, TELEPHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


def tune(title: str) -> Melody:
    pitches = np.random.default_rng(len(title)).choice([60, 62, 64, 67, 72], 24)
    return Melody.from_pitches([(int(pitch), 12) for pitch in pitches], key=Key(), title=title, source=HOSTILE)


def page_of(clusters: int = 3) -> str:
    places = np.random.default_rng(1).normal(size=(60, 2))
    labels = np.arange(60) % clusters
    names = [f"style-{number + 1} {HOSTILE}" for number in range(clusters)]
    drawn = [
        (figures.svg_text(figures.style_map(places, labels, names, (HOSTILE, "wide")), "map"), "The map."),
        (figures.svg_text(figures.silhouette_curve({2: 0.1, 3: -0.2}, 2), "curve"), "The curve."),
    ]
    rows = [("notes per quarter", "1.00", "2.00", "-1.00"), ("range", "–", "–", "–")]
    shown = [
        ShownStyle(
            f"style-{number + 1}", f"fast, {HOSTILE}", [f"Nine melodies. {HOSTILE}"], figures.mark_of(number)[0], rows,
            [(tune(title), {"mid": "style-1/001.mid", "wav": "style-1/001.wav"}) for title in ("Tune", HOSTILE, "")],
        )
        for number in range(clusters)
    ]  # fmt: skip
    return style_page(HOSTILE, f"Three styles. {HOSTILE}", drawn, shown)


def test_hostile_words_are_text_and_the_page_is_the_same_again() -> None:
    page = page_of()
    assert "<script" not in page
    assert "<img" not in page
    assert page == page_of()
    assert page.count("<audio") == 9
    assert {link for link in re.findall(r'(?<!:)\b(?:href|src)="([^"#]*)"', page) if not link.startswith("data:")} == {
        "style-1/001.mid", "style-1/001.wav",
    }  # fmt: skip


def test_figures_are_well_formed_and_can_show_any_number_of_clusters() -> None:
    rng = np.random.default_rng(2)
    for clusters, melodies in ((2, 40), (12, 40), (100, 4000)):
        labels = np.arange(melodies) % clusters
        drawn = figures.style_map(rng.normal(size=(melodies, 2)), labels, [str(k) for k in range(clusters)], ("a", "b"))
        svg = figures.svg_text(drawn, "map")
        assert ElementTree.fromstring(svg).tag.endswith("svg")
        assert len(svg) < 1_500_000
    assert len({figures.mark_of(number) for number in range(100)}) == 100


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("page")
    (folder / "styles.html").write_text(page_of(), encoding="utf-8")
    write(tune("Tune"), folder / "style-1" / "001.wav")
    return (folder / "styles.html").as_uri()


@pytest.fixture
def opened(browser: Any, address: str, request: pytest.FixtureRequest) -> Iterator[Any]:
    """The page, which must not complain, and ask only for a recording that is played."""
    viewport, scheme = request.param
    said: list[str] = []
    asked: list[str] = []
    page = browser.new_page(viewport=viewport, color_scheme=scheme)
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda asking: asked.append(asking.url) if not asking.url.startswith("data:") else None)
    page.goto(address)
    assert asked == [address]
    yield page
    page.close()
    assert said == []
    assert {Path(url).name for url in asked} <= {"styles.html", "001.wav"}


LOOKS = [(viewport, scheme) for viewport in (DESK, TELEPHONE) for scheme in ("light", "dark")]


@pytest.mark.e2e
@pytest.mark.parametrize("opened", LOOKS, indirect=True)
def test_it_fits_shows_and_sounds(opened: Any) -> None:
    width = opened.viewport_size["width"]
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    for one in opened.locator("figure > svg, .score > svg, .roll > svg").all():
        box = one.bounding_box()
        assert box["height"] > 40
        assert box["x"] + box["width"] <= width + 1
    assert opened.locator("section.style").count() == 3
    table = opened.locator("#style-2 table")
    assert not table.is_visible()
    opened.locator("#style-2 summary").click()
    assert table.is_visible()
    player = opened.locator("audio").first
    player.evaluate(
        "player => new Promise(done => {"
        " player.onloadedmetadata = done; player.load(); player.muted = true; player.play(); })"
    )
    assert player.evaluate("player => player.duration") == pytest.approx(tune("Tune").seconds, abs=3)
