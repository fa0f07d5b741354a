"""What rules say of a melody in a file: a table, a page, and everything as JSON."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cantilena.data import ReadOptions, read_melody
from cantilena.errors import RunError, ScoreError, UsageError
from cantilena.io import READABLE
from cantilena.metrics import MelodyRewards, melody_rewards
from cantilena.metrics.per_note import AS_IT_BEGINS
from cantilena.music import Key
from cantilena.reporting import rule_page
from cantilena.reporting.rule_page import says_of
from cantilena.reporting.text import plain
from cantilena.rules import RuleSet, load_rules, rules_toml
from cantilena.runtime import write_json, write_text

PAGE, RECORD, RULES = "score.html", "score.json", "rules.toml"
"""The files of a folder that `write_score` fills."""


@dataclass(frozen=True)
class RuleScore:
    """A judged file.

    Args:
        path: the file.
        judged: its melody, and what the rules say.
    """

    path: Path
    judged: MelodyRewards

    @property
    def title(self) -> str:
        """What the melody is called: its title, else its file's name."""
        return self.judged.melody.title.strip() or self.path.name

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return {"file": self.path.name} | self.judged.to_json()

    def text(self) -> str:
        """A table of the notes and one of the rules, for a terminal."""
        judged = self.judged
        facts = f"{judged.context.key.name}, {judged.context.meter}, {len(judged.melody.sounding)} notes"
        moved = f", {judged.rounded} moved to the grid of sixteenths" if judged.rounded else ""
        moved += f", {judged.dropped} left out" if judged.dropped else ""
        lines = [f"{self.title} ({facts}{moved})", "", "bar.beat  note       sum  what the rules give"]
        for note in judged.notes:
            parts = ", ".join(
                f"{name} {plain(value)}{'' if when.startswith(AS_IT_BEGINS) else f' ({when})'}"
                for (name, value), when in zip(note.values.items(), note.when.values(), strict=True)
            )
            total = plain(note.total) if note.values else ""
            lines.append(f"{note.place:<8}  {note.name:<5} {total:>8}  {parts}".rstrip())
        return "\n".join([*lines, "", *self._rules()])

    def _rules(self) -> list[str]:
        judged = self.judged
        width = max(len(name) for name in (*judged.rewards, "all rules"))
        lines = [f"{'rule':<{width}}  {'gave':>10} {'took':>10} {'sum':>10}  what it says"]
        for rule in judged.rules.rules:
            given, taken = judged.given(rule.name), judged.taken(rule.name)
            numbers = " ".join(f"{plain(value) if value else '':>10}" for value in (given, taken))
            lines.append(f"{rule.name:<{width}}  {numbers} {plain(given + taken):>10}  {says_of(rule)}")
        given, taken = (sum(of(name) for name in judged.rewards) for of in (judged.given, judged.taken))
        lines.append(f"{'all rules':<{width}}  {plain(given):>10} {plain(taken):>10} {plain(judged.total):>10}")
        return lines


def score_file(path: Path, rules: RuleSet | str, *, key: str = "", seconds: float | None = None) -> RuleScore:
    """Ask rules about the melody of a file of MIDI, MusicXML, ABC or kern.

    Args:
        path: the file; its melody is chosen as for a corpus, and rounded to sixteenths at its own pitch.
        rules: the rules, or how a user names them.
        key: such as `D minor`; the melody's own, else the one that is found, if empty.
        seconds: judge only its beginning.

    Raises:
        UsageError: no such rules or key, a name that no score has, a melody too long.
        ScoreError: the file cannot be used.
    """
    asked = load_rules(rules) if isinstance(rules, str) else rules
    named = Key.parse(key) if key else None
    _check_there(path)
    if path.suffix.lower() not in READABLE:
        raise UsageError(f"{path} is not named as a score", f"scores end in {', '.join(READABLE)}")
    melody = read_melody(path, ReadOptions(seconds=seconds))
    if not melody.sounding:
        raise ScoreError(f"there are no notes in {path}", "name a file with notes in it")
    return RuleScore(path, melody_rewards(replace(melody, source=path.name), asked, named))


def _check_there(path: Path) -> None:
    try:
        if path.is_dir():
            raise ScoreError(f"{path} is a folder", "name one file; `cantilena corpus read` reads folders")
        if not path.exists():
            raise ScoreError(f"there is no file {path}", "check the path")
    except (OSError, ValueError) as error:
        raise ScoreError(f"there can be no file of that name: {str(path)[:80]}", "check the path") from error


def write_score(score: RuleScore, out: Path, *, force: bool = False) -> dict[str, Path]:
    """Write what the rules say into a folder: a page, all of it as JSON, and the rules themselves.

    Args:
        score: what `score_file` gave.
        out: the folder, made if missing.
        force: replace what is there.

    Returns:
        The files, by kind.

    Raises:
        RunError: one of them is there, and `force` is off; or a file stands where the folder shall be.
    """
    files = {"page": out / PAGE, "record": out / RECORD, "rules_file": out / RULES}
    if out.exists() and not out.is_dir():
        raise RunError(f"{out} is a file", "give another --out")
    for path in files.values():
        if path.exists() and not force:
            raise RunError(f"{path} exists already", "give another --out, or --force to replace it")
    page = rule_page(score.judged, score.title)
    write_text(files["page"], page, overwrite=force)
    write_json(files["record"], score.to_json(), overwrite=force)
    write_text(files["rules_file"], rules_toml(score.judged.rules, out), overwrite=force)
    return files
