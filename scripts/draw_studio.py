"""Take the screenshots of the studio that README and docs show.

    python scripts/draw_studio.py [NAME ...]

Needs playwright and Chromium (Debian: apt install chromium). Saves the screenshots as docs/pictures/studio-NAME.png.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from served_page import served

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PICTURES = Path(__file__).resolve().parents[1] / "docs" / "pictures"
OPENING = "primer=E4+G4+A4%2F4.+B4%2F8+A4+G4+E4%2F2&key=E+minor"
PAIR = f"model=tunes%2Brl&compare=tunes&{OPENING}&bars=8&count=3&seed=4"


@dataclass(frozen=True)
class Screenshot:
    """A screenshot: the state in the URL, the window, and what is clicked before."""

    state: str
    width: int = 1360
    height: int = 900
    scheme: Literal["light", "dark"] = "light"
    clicks: tuple[str, ...] = ()
    wait: str = "article[data-ready]"


SCREENSHOTS = {
    "light": Screenshot(f"model=tunes%2Brl&{OPENING}&bars=10&count=4&seed=4", height=1000),
    "dark": Screenshot(f"{PAIR}&colour=rules", scheme="dark"),
    "compare": Screenshot(PAIR, width=1480),
    "rules": Screenshot(f"model=tunes&{OPENING}&bars=10&count=4&seed=4&colour=rules&tab=rules", height=960),
    "likelihood": Screenshot(f"model=tunes&{OPENING}&bars=10&count=1&seed=4&colour=probability"),
    "phone": Screenshot(f"model=tunes%2Brl&{OPENING}&bars=6&count=2&seed=4", width=390, height=1600),
    "edit": Screenshot(
        f"model=tunes&{OPENING}&bars=10&count=1&seed=4",
        height=1000,
        clicks=("button.edit", *(f".roll [data-note='{note}'] rect" for note in (14, 15, 16)), "[data-lock=rhythm]"),
    ),
    "form": Screenshot(
        "model=tunes&primer=G4+A4+B4+G4&key=G+major&bars=16&count=1&seed=11&form=AABA&chords=G|Em|C|D7|G|Em|C|G|C|Am|D|D7|G|Em|D7|G",
        height=1080,
        clicks=(".chord-lane summary",),
    ),
    "tuning": Screenshot(
        f"model=tunes&{OPENING}&bars=6&count=1&seed=4&tab=tune",
        height=1080,
        clicks=("#tune",),
        wait="#jobs li[data-state=running] progress[value^='0.8'], #jobs li[data-state=done]",
    ),
}


def capture(browser: Browser, address: str, name: str) -> None:
    """Take one screenshot."""
    screenshot = SCREENSHOTS[name]
    page = browser.new_page(
        viewport={"width": screenshot.width, "height": screenshot.height},
        color_scheme=screenshot.scheme,
        device_scale_factor=1.5,
    )
    page.goto(f"{address}#{screenshot.state}")
    page.locator("article[data-ready]").last.wait_for()
    for selector in screenshot.clicks:
        page.click(selector, modifiers=["Shift"] if selector.startswith(".roll") else [])
    page.locator(screenshot.wait).first.wait_for(timeout=120_000)
    page.wait_for_timeout(800)
    path = PICTURES / f"studio-{name}.png"
    page.screenshot(path=path)
    page.close()
    print(path.name)


def main(names: list[str]) -> None:
    """Take the named screenshots, or all."""
    from playwright.sync_api import sync_playwright

    unknown = set(names) - set(SCREENSHOTS)
    if unknown:
        sys.exit(f"unknown screenshot {', '.join(sorted(unknown))}: choose among {', '.join(SCREENSHOTS)}")
    with (
        tempfile.TemporaryDirectory() as home,
        served("studio", "--no-open", "--home", home) as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name in names or SCREENSHOTS:
            capture(browser, address, name)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
