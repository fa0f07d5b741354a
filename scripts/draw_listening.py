"""Draw the pictures of the listening test that docs/listening.md shows, from a small study that is made and served.

    python scripts/draw_listening.py

Needs playwright and a Chromium (Debian: apt install chromium). The pictures go to docs/pictures/listening-NAME.png.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from served_page import served

if TYPE_CHECKING:
    from playwright.sync_api import Page

PICTURES = Path(__file__).resolve().parents[1] / "docs" / "pictures"
CANTILENA = [sys.executable, "-m", "cantilena"]
DESIGN = "--clips 4 --trials 8 --listeners 4 --shortest 3 --longest 8 --accept pace".split()


def compose(model: str, folder: Path, seed: int) -> None:
    """Melodies of a model, in a folder."""
    words = ["compose", model, "-n", "40", "--bars", "8", "--seed", str(seed), "--out", str(folder)]
    subprocess.run([*CANTILENA, *words], check=True, capture_output=True)


def study_of(folder: Path) -> Path:
    """A study of two models; one stands in for people, and nobody is asked."""
    compose("tunes", folder / "human", 1)
    compose("tunes+rl", folder / "tuned", 2)
    study = folder / "study.zip"
    arms = [f"--arm=human={folder / 'human'}", f"--arm=tuned={folder / 'tuned'}"]
    subprocess.run([*CANTILENA, "listen", "create", *arms, *DESIGN, "--out", str(study)], check=True)
    return study


def go_on(page: Page) -> None:
    """Do what a card asks for; a clip is heard until it may be answered."""
    card = page.locator("main > form")
    place = str(card.get_attribute("data-place"))
    if page.locator(".play").count():
        page.locator(".player[data-ready]").wait_for()
        page.click(".play")
    if page.locator("fieldset").count():
        page.locator("fieldset:enabled").first.wait_for(timeout=60_000)
        for name in ("quietest", "answer", "confidence"):
            if page.locator(f"[name={name}]").count():
                page.locator(f"label:has([name={name}])").first.click()
    elif page.locator(".play").count():
        page.wait_for_timeout(4000)
    page.click("main .big")
    page.wait_for_selector(f"main > form:not([data-place='{place}'])")


def main() -> None:
    """Take the test until the pictures are drawn."""
    from playwright.sync_api import sync_playwright

    with (
        tempfile.TemporaryDirectory() as folder,
        served("listen", "serve", str(study_of(Path(folder)))) as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 820, "height": 860}, device_scale_factor=1.5)
        page.goto(address)
        page.locator("main > form").wait_for()
        while page.locator("form[data-place=trial-2]").count() == 0:
            go_on(page)
        page.locator(".player[data-ready]").wait_for()
        page.click(".play")
        page.locator("fieldset:enabled").first.wait_for(timeout=60_000)
        page.locator("label:has([value=human])").click()
        page.locator("label:has([name=confidence][value='3'])").click()
        page.screenshot(path=PICTURES / "listening-trial.png")
        while page.locator("form[data-place=end-0]").count() == 0:
            go_on(page)
        page.set_viewport_size({"width": 390, "height": 900})
        page.emulate_media(color_scheme="dark")
        page.wait_for_timeout(300)
        page.screenshot(path=PICTURES / "listening-end.png")
        browser.close()


if __name__ == "__main__":
    main()
