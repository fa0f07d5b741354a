"""Take the screenshots of the listening test for docs/listening.md, from a small study.

    python scripts/draw_listening.py

Needs playwright and a Chromium (Debian: apt install chromium). Writes docs/pictures/listening-NAME.png.
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


def main() -> None:
    """Take a test, and two screenshots of it."""
    from playwright.sync_api import sync_playwright

    with (
        tempfile.TemporaryDirectory() as folder,
        served("listen", "serve", str(create_study(Path(folder)))) as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 820, "height": 860}, device_scale_factor=1.5)
        page.goto(address)
        page.locator("main > form").wait_for()
        while page.locator("form[data-place=trial-2]").count() == 0:
            complete_step(page)
        page.locator(".player[data-ready]").wait_for()
        page.click(".play")
        page.locator("fieldset:enabled").first.wait_for(timeout=60_000)
        page.locator("label:has([value=human])").click()
        page.locator("label:has([name=confidence][value='3'])").click()
        page.screenshot(path=PICTURES / "listening-trial.png")
        while page.locator("form[data-place=end-0]").count() == 0:
            complete_step(page)
        page.set_viewport_size({"width": 390, "height": 900})
        page.emulate_media(color_scheme="dark")
        page.wait_for_timeout(300)
        page.screenshot(path=PICTURES / "listening-end.png")
        browser.close()


def create_study(folder: Path) -> Path:
    """Create a study of two models, one of them in place of human melodies."""
    arms = []
    for arm, model, seed in (("human", "tunes", 1), ("tuned", "tunes+rl", 2)):
        words = ["compose", model, "-n", "40", "--bars", "8", "--seed", str(seed), "--out", str(folder / arm)]
        subprocess.run([*CANTILENA, *words], check=True, capture_output=True)
        arms.append(f"--arm={arm}={folder / arm}")
    study = folder / "study.zip"
    subprocess.run([*CANTILENA, "listen", "create", *arms, *DESIGN, "--out", str(study)], check=True)
    return study


def complete_step(page: Page) -> None:
    """Complete the current step; a clip is played until it can be answered."""
    place = str(page.locator("main > form").get_attribute("data-place"))
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


if __name__ == "__main__":
    main()
