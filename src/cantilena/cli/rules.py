"""`cantilena rules list | explain | score`."""

from __future__ import annotations

from pathlib import Path

from cantilena.cli.output import Answer
from cantilena.cli.parsing import Flags, Positional
from cantilena.data import ReadLimits


def list_all(*, flags: Flags) -> Answer:
    """List the rule sets and their rules.

    Example:
        cantilena rules list
    """
    from cantilena.workflows import list_rules, listed_text

    rows = list_rules()
    return Answer({"rules": [row.to_json() for row in rows]}, text=listed_text(rows))


def explain(name: Positional[str], *, out: Path | None = None, force: bool = False, flags: Flags) -> Answer:
    """Explain a rule: its description, parameters and source, and its rewards for an example.

    Args:
        name: A rule such as leap, rl-tuner:leap or my_rules.py:no_tritones; or a set, or a file of rules.
        out: Engrave the example into this SVG file.
        force: Replace an existing file.

    Example:
        cantilena rules explain rl-tuner:leap --out leap.svg
    """
    from cantilena.workflows import draw_example, explain_rules

    explained = explain_rules(name)
    value = {"rules": [one.to_json() for one in explained]}
    text = "\n\n\n".join(one.text() for one in explained)
    if out is None:
        return Answer(value, text=text)
    draw_example(explained, out, force=force)
    return Answer({**value, "svg": str(out)}, text=f"{text}\n\nOpen {out} to see the example.")


def score(
    file: Positional[Path],
    *,
    rules: str = "cantilena",
    key: str = "",
    seconds: float | None = None,
    limits: ReadLimits,
    out: Path | None = None,
    force: bool = False,
    flags: Flags,
) -> Answer:
    """Show the rewards of rules for a melody, note by note.

    The melody is chosen as for a corpus and evaluated at its own pitch, in its own key and meter.

    Args:
        file: A score: MIDI, MusicXML, ABC or kern. Of a book of tunes the first tune that can be used; BOOK#3 is its
            third tune, BOOK:TITLE the one of that title.
        rules: A set, SET:RULE, a file of weights FILE.toml, a rule of your own FILE.py:NAME; several joined by +.
        key: The key of the melody, such as "D minor"; estimated if not given.
        seconds: Score only the first so many seconds.
        out: Write a page with the coloured score into this folder.
        force: Replace existing files.

    Example:
        cantilena rules score idea.mid --rules rl-tuner+my_rules.py:no_tritones --out scored
    """
    from cantilena.workflows import score_file, write_score

    scored = score_file(file, rules, key=key, seconds=seconds, limits=limits)
    if out is None:
        return Answer(scored.to_json(), text=scored.text())
    files = write_score(scored, out, force=force)
    value = scored.to_json() | {name: str(path) for name, path in files.items()}
    return Answer(value, text=f"{scored.text()}\n\nOpen {files['page']} to see it in the score.")
