"""Every link of the lessons opens what it promises."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

LESSONS = Path(__file__).resolve().parents[3] / "docs" / "lessons"


@pytest.mark.parametrize("sheet", ["repetition", "key", "motif", "chords", "form"])
def test_links_of_a_sheet_open(visit: Any, sheet: str) -> None:
    text = (LESSONS / f"{sheet}.md").read_text(encoding="utf-8")
    app = visit()
    for state in re.findall(r"127\.0\.0\.1:8000/(#\S+?)\)", text):
        asked = parse_qs(state[1:])
        app.page.evaluate("(state) => { location.hash = state; }", state)
        app.page.wait_for_timeout(50)
        app.ready()
        assert app.find("article").count() == (2 if "compare" in asked else 1)
        assert app.find("article").first.locator(".card").count() == int(asked.get("count", ["1"])[0])
        assert app.find("#legend").is_visible() == ("colour" in asked)
        if "only" in asked:
            assert app.find("#rules li:not(.off)").count() == 1
        if "tab" in asked:
            assert app.find(f"#pane-{asked['tab'][0]}").is_visible()
