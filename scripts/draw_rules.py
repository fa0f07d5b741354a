"""Update docs/rules.md: its tables of rules and of people's level, and its screenshot of `cantilena rules score`.

    python scripts/draw_rules.py

The screenshot needs playwright and a Chromium (Debian: apt install chromium); without them only the tables are written.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from cantilena.data import load_builtin
from cantilena.metrics import human_band, human_share, melody_rewards
from cantilena.music import Key, Meter
from cantilena.reporting import rule_page
from cantilena.reporting.rule_page import describe
from cantilena.rules import RULE_SETS, Context, events_of, load_rules
from cantilena.workflows.rules.explain import short_source

CHECKOUT = Path(__file__).resolve().parents[1]
DOCUMENT, PICTURE = CHECKOUT / "docs" / "rules.md", CHECKOUT / "docs" / "pictures" / "rules.png"
BEGIN, END = "<!-- the table, by scripts/draw_rules.py -->", "<!-- end of the table -->"
BEGIN_PEOPLE, END_PEOPLE = "<!-- people, by scripts/draw_rules.py -->", "<!-- end of people -->"
BARS = 8
GROUPS = (
    ("4/4", "C major", 16),
    ("4/4", "A minor", 16),
    ("2/2", "C major", 16),
    ("2/4", "C major", 8),
    ("3/4", "C major", 12),
    ("6/8", "C major", 12),
)
FEATURES = ("tonic_share", "sixteenths", "motif", "rests", "density")
"""What the table of people's level shows beside the events."""
TUNE = "La Nouvelle Angloise"


def main() -> int:
    """Write the tables, and the screenshot if there is a browser."""
    text = DOCUMENT.read_text(encoding="utf-8")
    for begin, written, end in ((BEGIN, table(), END), (BEGIN_PEOPLE, people(), END_PEOPLE)):
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}\n{written}\n{end}{rest.partition(end)[2]}"
    DOCUMENT.write_text(text, encoding="utf-8")
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


def people() -> str:
    """People's level in Markdown: shares of events, and means of features with their bands, by meter and mode."""
    rules = RULE_SETS["cantilena"]
    labels = {metric.name: metric.label for rule in rules.rules for metric in rule.metrics}
    groups = [Context(Key.parse(key), Meter.parse(meter), steps) for meter, key, steps in GROUPS]
    heads = [f"{group.meter} {group.key.mode}" for group in groups]
    lines = ["", f"| | {' | '.join(heads)} |", "|---|" + "---|" * len(heads)]
    for name in (*events_of(rules), *FEATURES):
        lines.append(f"| {labels[name]} | {' | '.join(_level(name, group) for group in groups)} |")
    return "\n".join([*lines, ""])


def _level(name: str, context: Context) -> str:
    """The share of an event, or the mean of a feature and its band."""
    steps = BARS * context.steps_per_bar
    share, band = human_share(name, context, steps), human_band(name, context, steps)
    if share is not None:
        return f"{100 * share.mean:.0f} %"
    numbers = (band.mean, band.low, band.high) if band is not None else ()
    if name == "density":
        return "{:.2f} ({:.2f} to {:.2f})".format(*numbers)
    return "{:.0f} % ({:.0f} to {:.0f})".format(*(100 * (number or 0) for number in numbers))


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
