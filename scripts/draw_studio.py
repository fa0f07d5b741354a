"""Draw the pictures of the studio that README and docs show, from a studio that runs.

    python scripts/draw_studio.py [NAME ...]

Needs playwright and a Chromium (Debian: apt install chromium). The pictures go to docs/pictures/studio-NAME.png.
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
BEGINNING = "primer=E4+G4+A4%2F4.+B4%2F8+A4+G4+E4%2F2&key=E+minor"
PAIR = f"model=tunes%2Brl&compare=tunes&{BEGINNING}&bars=6&count=3&seed=4"


@dataclass(frozen=True)
class Picture:
    """What a picture shows: the state in the address, the window, and what is pressed before."""

    state: str
    width: int = 1360
    height: int = 900
    scheme: Literal["light", "dark"] = "light"
    press: tuple[str, ...] = ()
    wait: str = "article[data-ready]"


SHOWN = {
    "light": Picture(f"model=tunes%2Brl&{BEGINNING}&bars=8&count=4&seed=4", height=960),
    "dark": Picture(f"{PAIR}&colour=rules", scheme="dark"),
    "compare": Picture(PAIR, width=1480),
    "rules": Picture(f"model=tunes&{BEGINNING}&bars=8&count=4&seed=4&colour=rules&tab=rules", height=960),
    "likelihood": Picture(f"model=tunes&{BEGINNING}&bars=8&count=1&seed=4&colour=probability"),
    "phone": Picture(f"model=tunes%2Brl&{BEGINNING}&bars=4&count=2&seed=4", width=390, height=1600),
    "tuning": Picture(
        f"model=tunes&{BEGINNING}&bars=4&count=1&seed=4&tab=tune",
        height=1080,
        press=("#tune",),
        wait="#jobs li[data-state=running] progress[value^='0.8'], #jobs li[data-state=done]",
    ),
}


def draw(browser: Browser, address: str, name: str) -> None:
    """One picture."""
    shown = SHOWN[name]
    page = browser.new_page(
        viewport={"width": shown.width, "height": shown.height}, color_scheme=shown.scheme, device_scale_factor=1.5
    )
    page.goto(f"{address}#{shown.state}")
    page.locator("article[data-ready]").last.wait_for()
    for selector in shown.press:
        page.click(selector)
    page.locator(shown.wait).first.wait_for(timeout=120_000)
    page.wait_for_timeout(800)
    path = PICTURES / f"studio-{name}.png"
    page.screenshot(path=path)
    page.close()
    print(path.name)


def main(names: list[str]) -> None:
    """Draw the pictures that are named, or all."""
    from playwright.sync_api import sync_playwright

    unknown = set(names) - set(SHOWN)
    if unknown:
        sys.exit(f"there is no picture {', '.join(sorted(unknown))}: choose among {', '.join(SHOWN)}")
    with (
        tempfile.TemporaryDirectory() as home,
        served("studio", "--no-open", "--home", home) as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name in names or SHOWN:
            draw(browser, address, name)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
