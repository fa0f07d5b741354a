"""docs/rules.md tells the truth: its table is the catalogue's, its code runs, its commands answer."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from cantilena.cli import main
from cantilena.io import write
from cantilena.music import Melody
from cantilena.rules import RULE_SETS, load_rules
from cantilena.rules.checks import SLOW
from cantilena.tokenizers import GridEncoding

CHECKOUT = Path(__file__).resolve().parents[2]
DOCUMENT = (CHECKOUT / "docs" / "rules.md").read_text(encoding="utf-8")
EXAMPLE = CHECKOUT / "examples" / "no_tritones.py"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("draw_rules", CHECKOUT / "scripts" / "draw_rules.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_are_the_catalogue_and_the_bands() -> None:
    draw_rules = script()
    shown = DOCUMENT.partition(draw_rules.BEGIN + "\n")[2].partition("\n" + draw_rules.END)[0]
    assert shown == draw_rules.table(), "run scripts/draw_rules.py"
    assert shown.count("\n| `") == sum(len(rules.rules) for rules in RULE_SETS.values())
    people = DOCUMENT.partition(draw_rules.BEGIN_PEOPLE + "\n")[2].partition("\n" + draw_rules.END_PEOPLE)[0]
    assert people == draw_rules.people(), "run scripts/draw_rules.py"


def test_every_set_is_told_in_words() -> None:
    words = DOCUMENT.partition("## The sets")[2].partition("<!--")[0]
    assert all(f"`{name}`" in words for name in RULE_SETS)
    assert f"{SLOW:,} steps a second" in DOCUMENT.replace("\n", " ").replace("  ", " ")


def test_the_example_is_the_file() -> None:
    source = EXAMPLE.read_text(encoding="utf-8")
    assert source[source.index("import numpy") :] in blocks("python")


def test_the_example_penalises_tritones() -> None:
    (rule,) = load_rules(f"{EXAMPLE}:no_tritones").rules
    line = GridEncoding().line(np.array([[14, 1, 20, 0, 14, 19, 14], [14, 21, 13, 26, 1, 20, 1]]))
    # C F# C F C; and C G B C5, F# below it: a fourth or a fifth is no tritone, and an octave more is none either.
    assert rule.rewards(line).tolist() == [[0, 0, -2, 0, -2, 0, 0], [0, 0, 0, 0, 0, -2, 0]]


def test_the_file_of_rules_loads(tmp_path: Path) -> None:
    (tmp_path / "no_tritones.py").write_text(EXAMPLE.read_text(encoding="utf-8"))
    (text,) = blocks("toml")
    (tmp_path / "my_rules.toml").write_text(text)
    rules = load_rules(str(tmp_path / "my_rules.toml"))
    assert rules.names == (*RULE_SETS["rl-tuner"].names, "no_tritones")
    assert [rules[name].weight for name in ("tonic", "key", "autocorrelation", "leap")] == [5.0, 6.0, 0.0, 1.0]
    assert rules["leap"].parameters["patience"] == 4
    assert rules["no_tritones"].parameters["penalty"] == -3.0


def test_the_lines_of_python_run() -> None:
    for block in blocks("python"):
        subprocess.run([sys.executable, "-c", block], check=True, capture_output=True)


def test_the_commands_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "examples").mkdir()
    for folder in (tmp_path, tmp_path / "examples"):
        (folder / "no_tritones.py").write_text(EXAMPLE.read_text(encoding="utf-8"))
    (tmp_path / "my_rules.toml").write_text(blocks("toml")[0])
    monkeypatch.chdir(tmp_path)
    write(Melody.from_pitches([(60, 24), (66, 24), (60, 48)]), "idea.mid")
    lines = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("cantilena rules")]
    assert len(lines) >= 5
    for line in lines:
        assert main(line.split()[1:]) == 0, line
    assert "no_tritones" in capsys.readouterr().out


def test_the_picture_is_there() -> None:
    assert script().PICTURE.read_bytes().startswith(b"\x89PNG")
