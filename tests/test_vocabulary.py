"""Names and prose use the field's terms: words of the earlier, private vocabulary are found nowhere but as aliases."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
TEXTS = [
    *(path for suffix in ("py", "pyi", "js", "html", "css") for path in (CHECKOUT / "src").rglob(f"*.{suffix}")),
    *(CHECKOUT / "docs").rglob("*.md"),
    *(path for folder in ("scripts", "examples", "benchmarks") for path in (CHECKOUT / folder).glob("*.py")),
    CHECKOUT / "README.md",
    CHECKOUT / "CONTRIBUTING.md",
]
WORDS = {
    r"told_rows|\bTold\b": "condition_ids",
    r"heard_styles|HeardStyles": "style_probe",
    r"\bdeals\b": "permutations",
    r"\bseats?\b": "session_assignment",
    r"\b[Dd]oors?\b": "middleware, or interface",
    r"\b[Rr]efusals?\b|RefusalError": "error_responses",
    r"\bBench\b": "BoundedExecutor",
    r"\bBook\b(?! of)": "AnswerStore",
    r"\bArrivals\b": "rate_limit",
    r"\bCallers\b": "middleware",
    r"\bCommission\b": "GenerationPlan",
    r"\bSketch(es)?\b": "StreamChunk",
    r"\bGap\b|\bSurroundings\b": "InfillSpan, InfillContext",
    r"\bLesson\b|\bEveryStep\b": "Objective, TeacherForcing",
    r"\bStanding\b|\bCourse\b": "TrainState",
    r"\bContestants?\b": "SystemSpec",
    r"\bMadeModels?\b": "TrainedModel",
    r"\bJudgedTune\b": "EvalMelody",
    r"\bPeoplesMelodies\b": "HumanMelodies",
    r"\bGuarded\b": "SecuredApp",
    r"\bGrowingMelodies\b": "MelodyEpisodes",
    r"\bsay\((?!['\"]?\))": "log",
    r"\b[Tt]he house\b": "package, layer",
    r"\bastray\b": "NaN or infinite",
    r"as if an enemy": "untrusted input",
    r"[Mm]achine listener": "classifier two-sample test",
    r"(?<![\"'`.\w-])plain_keys\b": "normalized_key",
    r"(?<![\"'`.\w-])step_ticks\b": "ticks_per_step",
}
ALIASES = {
    "src/cantilena/studio/schemas/responses.py": {"step_ticks"},  # properties of the HTTP interface
    "src/cantilena/studio/page/panels/predictions.js": {"step_ticks"},
    "src/cantilena/studio/routes/scores.py": {"step_ticks"},
    "src/cantilena/workflows/evaluate/verdicts.py": {"machine listener"},  # a text in results.json
}
"""Where an earlier spelling must stay, because files or users have it."""


@functools.cache
def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("word", WORDS)
def test_private_words_are_gone(word: str) -> None:
    found = []
    for path in TEXTS:
        if not re.search(word, text_of(path)):
            continue
        name = path.relative_to(CHECKOUT).as_posix()
        for number, line in enumerate(text_of(path).splitlines(), start=1):
            found += [
                f"{name}:{number}: {match.group()}"
                for match in re.finditer(word, line)
                if match.group() not in ALIASES.get(name, set())
            ]
    assert not found, f"say {WORDS[word]}: {found}"
