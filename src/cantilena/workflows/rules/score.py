"""`rules score`: the rewards for a melody in a file, as a table, as a page and as JSON."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cantilena.data import ReadLimits, read_melody
from cantilena.errors import RunError, ScoreError, UsageError
from cantilena.io import READABLE, PieceName
from cantilena.metrics import MelodyRewards, melody_rewards
from cantilena.metrics.per_note import AS_IT_BEGINS
from cantilena.music import Key
from cantilena.reporting import rule_page
from cantilena.reporting.rule_page import describe
from cantilena.reporting.text import counted, signed_ascii
from cantilena.rules import RuleSet, load_rules, rules_toml
from cantilena.runtime import write_json, write_text


@dataclass(frozen=True)
class RuleScore:
    """The rewards for a file.

    Args:
        path: the file.
        scored: its melody, and the rewards.
    """

    path: Path
    scored: MelodyRewards

    @property
    def title(self) -> str:
        """The title of the melody, else the name of its file or of its tune in a book."""
        return self.scored.melody.title.strip() or self.path.name

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"file": self.path.name} | self.scored.to_json()

    def text(self) -> str:
        """A table of the notes and one of the rules, for a terminal."""
        scored = self.scored
        facts = f"{scored.context.key.name}, {scored.context.meter}, {counted(len(scored.melody.sounding), 'note')}"
        moved = f", {scored.rounded} moved to the grid of sixteenths" if scored.rounded else ""
        moved += f", {scored.dropped} left out" if scored.dropped else ""
        lines = [f"{self.title} ({facts}{moved})", "", "bar.beat  note       sum  rewards"]
        for note in scored.notes:
            parts = ", ".join(
                f"{name} {signed_ascii(value)}{'' if when.startswith(AS_IT_BEGINS) else f' ({when})'}"
                for (name, value), when in zip(note.values.items(), note.when.values(), strict=True)
            )
            total = signed_ascii(note.total) if note.values else ""
            lines.append(f"{note.place:<8}  {note.name:<5} {total:>8}  {parts}".rstrip())
        return "\n".join([*lines, "", *self._table_of_rules()])

    def _table_of_rules(self) -> list[str]:
        scored = self.scored
        width = max(len(name) for name in (*scored.rewards, "all rules"))
        lines = [f"{'rule':<{width}}  {'rewards':>10} {'penalties':>10} {'sum':>10}  description"]
        for rule in scored.rules.rules:
            given, taken = scored.given(rule.name), scored.taken(rule.name)
            numbers = " ".join(f"{signed_ascii(value) if value else '':>10}" for value in (given, taken))
            lines.append(f"{rule.name:<{width}}  {numbers} {signed_ascii(given + taken):>10}  {describe(rule)}")
        sums = (*(sum(of(name) for name in scored.rewards) for of in (scored.given, scored.taken)), scored.total)
        return [*lines, f"{'all rules':<{width}}  " + " ".join(f"{signed_ascii(value):>10}" for value in sums)]


def score_file(
    path: Path,
    rules: RuleSet | str,
    *,
    key: str = "",
    seconds: float | None = None,
    limits: ReadLimits | None = None,
) -> RuleScore:
    """Evaluate rules on the melody of a MIDI, MusicXML, ABC or kern file.

    Args:
        path: the file, or a tune of a book as for `read_melody`; its melody is chosen as for a
            corpus, and rounded to sixteenths at its own pitch.
        rules: the rules, or their names as in `load_rules`.
        key: such as `D minor`; if empty, the melody's own, else the estimated one.
        seconds: score only the first so many seconds.
        limits: of reading the file.

    Raises:
        UsageError: there are no such rules or key, the suffix is not that of a score, or the melody is too long.
        ScoreError: the file cannot be used.
    """
    rules = load_rules(rules) if isinstance(rules, str) else rules
    named = Key.parse(key) if key else None
    file = PieceName.parse(str(path)).path
    try:
        if file.is_dir():
            raise ScoreError(f"{file} is a folder", "name one file; `cantilena corpus read` reads folders")
        if not file.exists():
            raise ScoreError(f"there is no file {file}", "check the path")
    except (OSError, ValueError) as error:
        raise ScoreError(f"the path is not valid: {str(path)[:80]}", "check the path") from error
    if file.suffix.lower() not in READABLE:
        raise UsageError(f"{file} is not a score", f"name a file that ends in {', '.join(READABLE)}")
    melody = read_melody(path, (limits or ReadLimits()).read_options(seconds=seconds))
    if not melody.sounding:
        raise ScoreError(f"there are no notes in {path}", "name a file with notes in it")
    return RuleScore(path, melody_rewards(replace(melody, source=path.name), rules, named))


def write_score(score: RuleScore, out: Path, *, force: bool = False) -> dict[str, Path]:
    """Write `score.html`, `score.json` and `rules.toml` into a folder, created if missing; return the files by kind.

    Raises:
        RunError: one of them exists, and `force` is off; or `out` is a file.
    """
    files = {"page": out / "score.html", "record": out / "score.json", "rules_file": out / "rules.toml"}
    if out.exists() and not out.is_dir():
        raise RunError(f"{out} is a file", "give another --out")
    for path in files.values():
        if path.exists() and not force:
            raise RunError(f"{path} exists already", "give another --out, or --force to replace it")
    write_text(files["page"], rule_page(score.scored, score.title), overwrite=force)
    write_json(files["record"], score.to_json(), overwrite=force)
    write_text(files["rules_file"], rules_toml(score.scored.rules, out), overwrite=force)
    return files
