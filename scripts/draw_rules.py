"""Update docs/rules.md: its table of rules, and its screenshot of a page of `cantilena rules score`.

    python scripts/draw_rules.py

The screenshot needs playwright and a Chromium (Debian: apt install chromium); without them only the table is written.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from cantilena.data import load_builtin
from cantilena.metrics import melody_rewards
from cantilena.reporting import rule_page
from cantilena.reporting.rule_page import describe
from cantilena.rules import RULE_SETS, load_rules
from cantilena.workflows.rules.explain import short_source

CHECKOUT = Path(__file__).resolve().parents[1]
DOCUMENT, PICTURE = CHECKOUT / "docs" / "rules.md", CHECKOUT / "docs" / "pictures" / "rules.png"
BEGIN, END = "<!-- the table, by scripts/draw_rules.py -->", "<!-- end of the table -->"
TUNE = "La Nouvelle Angloise"


def main() -> int:
    """Write the table, and the screenshot if there is a browser."""
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    DOCUMENT.write_text(f"{before}{BEGIN}\n{table()}\n{END}{after}", encoding="utf-8")
    if shutil.which("chromium") is None:
        print("Chromium was not found: the screenshot is unchanged", file=sys.stderr)
        return 1
    draw()
    return 0


def table() -> str:
    """Every set as Markdown, with one line for each rule."""
    lines = []
    for name, rules in RULE_SETS.items():
        lines += ["", f"**`{name}`**", "", "| rule | description | source |", "|---|---|---|"]
        lines += [f"| `{rule.name}` | {describe(rule)} | {short_source(rule.source)} |" for rule in rules.rules]
    return "\n".join([*lines, ""])


def draw() -> None:
    """Take the screenshot: the page of a tune with a selected note."""
    from playwright.sync_api import sync_playwright

    corpus = load_builtin("tunes")
    melody = next(corpus[row] for row in range(len(corpus)) if corpus[row].title == TUNE)
    rules = load_rules(f"cantilena+{CHECKOUT / 'examples' / 'no_tritones.py'}:no_tritones")
    scored = melody_rewards(melody, rules)
    tritone = next(note.note for note in scored.notes if "no_tritones" in note.values)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "score.html"
        path.write_text(rule_page(scored, melody.title), encoding="utf-8")
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1000, "height": 960}, color_scheme="light", device_scale_factor=1.5)
        page.goto(path.as_uri())
        page.locator(f".sheet:visible [data-note='{tritone}'] .notehead").first.click(force=True)
        page.evaluate("window.scrollTo(0, 0)")
        page.screenshot(path=PICTURE)
        browser.close()


if __name__ == "__main__":
    sys.exit(main())
