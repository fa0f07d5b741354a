"""Users' own rules: what is found, what is refused, and in which words."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from cantilena.errors import UsageError
from cantilena.rules import RULE_SETS, Rule, check_rule, load_user_rules
from cantilena.rules.checks import steps_per_second, trials
from cantilena.rules.user import file_of
from cantilena.tokenizers import GridEncoding

HEAD = "import numpy as np\nfrom cantilena.music import ON\nfrom cantilena.rules import rule, tone_before, tones\n"

NO_TRITONES = (
    HEAD
    + '''
def no_tritones(line, context, *, penalty=-2.0):
    """A leap of six semitones is penalised."""
    before = tone_before(line)
    return penalty * (tones(line) & (before >= 0) & (abs(line.pitch - before) == 6))

@rule("quiet-end", source="the author's taste")
def rests(line, context, *, reward=1.0):
    "The last step is a rest."
    last = np.arange(line.steps) == line.length[:, None] - 1
    return reward * (last & (line.event != ON))
'''
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(text: str | bytes, name: str = "bad", head: str = HEAD) -> tuple[str, str]:
    """What is said of a file, in one line each, and without a word of Python's own machinery."""
    path = Path("my_rules.py")
    path.write_bytes(text if isinstance(text, bytes) else (head + text).encode())
    modules = set(sys.modules)
    with pytest.raises(UsageError) as error:
        load_user_rules(path, name)
    assert error.value.text
    assert error.value.hint
    assert "\n" not in error.value.text + error.value.hint
    assert "Traceback" not in error.value.text
    assert len([one for one in sys.modules if one not in modules]) <= 1
    assert str(Path.cwd()) not in sys.path
    return error.value.text, error.value.hint


def test_a_function_is_a_rule(here: Path) -> None:
    Path("my_rules.py").write_text(NO_TRITONES)
    (own,) = load_user_rules(Path("my_rules.py"), "no_tritones")
    assert (own.name, dict(own.parameters), own.weight) == ("no_tritones", {"penalty": -2.0}, 1.0)
    assert own.description == "A leap of six semitones is penalised."
    assert own.source == "my_rules.py, line 5"
    line = GridEncoding().line(np.array([[14, 1, 20, 14, 0, 13]]))
    assert own.rewards(line).tolist() == [[0, 0, -2, -2, 0, 0]]
    assert own.with_parameters(penalty=-1.0).rewards(line).sum() == -2


def test_marked_rules_are_found_by_either_name_and_all_together(here: Path) -> None:
    Path("my_rules.py").write_text(NO_TRITONES)
    for name in ("rests", "quiet-end"):
        (own,) = load_user_rules(Path("my_rules.py"), name)
        assert (own.name, own.source) == ("quiet-end", "the author's taste")
    assert [own.name for own in load_user_rules(Path("my_rules.py"))] == ["quiet-end"]
    assert file_of(own) == (here / "my_rules.py", "rests")


def test_a_file_may_import_its_neighbours_and_is_read_anew_when_mended(here: Path) -> None:
    Path("loudness_of_mine.py").write_text("LOUD = 3.0\n")
    path = Path("my_rules.py")
    path.write_text("from loudness_of_mine import LOUD\ndef loud(line, context): return LOUD * (line.event == 2)\n")
    (first,) = load_user_rules(path, "loud")
    path.write_text("def loud(line, context): return 5.0 * (line.event == 2)\n")
    (second,) = load_user_rules(path, "loud")
    line = GridEncoding().line(np.array([[14, 1]]))
    assert first.rewards(line).tolist() == [[3, 0]]
    assert second.rewards(line).tolist() == [[5, 0]]
    assert file_of(first) == file_of(second) == (here / "my_rules.py", "loud")


def test_a_dataclass_in_a_users_file(here: Path) -> None:
    text = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass Taste:\n"
        "    loud: float = 2.0\ndef loud(line, context): return Taste().loud * (line.event == 2)\n"
    )
    Path("my_rules.py").write_text(text)
    assert load_user_rules(Path("my_rules.py"), "loud")[0].name == "loud"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("def bad(line, context:\n    return 1\n", 4, "the syntax is invalid"),
        ("def bad(line, context):\nreturn 1\n", 5, "the syntax is invalid"),
        ("x = 1\nraise ValueError('no luck')\n", 5, "ValueError: no luck"),
        ("import no_such_module_anywhere\n", 4, "No module named 'no_such_module_anywhere'"),
        ("import sys\nsys.exit(3)\n", 5, "SystemExit: 3"),
        ("def f(): return 1 / 0\nf()\n", 4, "ZeroDivisionError"),
        ("@rule\ndef bad(line, context): return 0\n", 4, "rule() missing"),
        ("from dataclasses import replace\n@rule('a', source='b')\ndef a(line, context): return 0\n"
         "bad = replace(a, weight=float('nan'))\n", 7, "is nan"),
    ],
)  # fmt: skip
def test_files_that_do_not_run(here: Path, text: str, line: int, said: str) -> None:
    told, _ = refused(text)
    assert told.startswith(f"my_rules.py, line {line}: ")
    assert said in told


def test_a_broken_neighbour_is_named(here: Path) -> None:
    Path("neighbour_of_mine.py").write_text("x = 1\ny = = 2\n")
    told, _ = refused("import neighbour_of_mine\n")
    assert told.startswith("neighbour_of_mine.py, line 2: the syntax is invalid")


@pytest.mark.parametrize("text", [b"\x00\x01\xff\xfe" * 99, b"\xff\xfe\xfd", b"x = '" + b"\xe9" + b"'"])
def test_binary_junk_is_not_python(here: Path, text: bytes) -> None:
    assert "the syntax is invalid" in refused(text)[0]


def test_deep_nesting_is_refused(here: Path) -> None:
    refused("bad = " + "(" * 50_000)
    refused("bad = " + "-" * 400_000 + "1")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("missing.py", "there is no file missing.py"),
        ("folder.py", "not an ordinary file"),
        ("pipe.py", "not an ordinary file"),
        ("large.py", "larger than 1 MB"),
        ("rules.txt", "not a Python file"),
        ("a" * 300 + ".py", "cannot be opened"),
        ("nul\x00.py", "cannot be opened"),
    ],
)
def test_paths_that_cannot_be_read(here: Path, path: str, said: str) -> None:
    Path("folder.py").mkdir()
    os.mkfifo("pipe.py")
    Path("large.py").write_bytes(b"#" * (2**20 + 1))
    Path("rules.txt").write_text("bad = 1")
    with pytest.raises(UsageError, match=re.escape(said)):
        load_user_rules(Path(path), "bad")


def test_missing_names_are_answered_with_the_nearest(here: Path) -> None:
    told, hint = refused(NO_TRITONES, "no_tritone", head="")
    assert "has no 'no_tritone'" in told
    assert hint == "did you mean no_tritones? it has: no_tritones, rests"
    told, hint = refused("def one(line, context): return line.event\n", "")
    assert "marks no rule with @rule" in told
    assert "my_rules.py:one" in hint


@pytest.mark.parametrize("thing", ["bad = 3", "class bad: pass", "bad = None", "bad = 'x'", "import math as bad"])
def test_other_things_are_no_rules(here: Path, thing: str) -> None:
    told, hint = refused(thing)
    assert "not a function or a rule" in told or "has no 'bad'" in told
    assert hint


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def bad(line): return line.event", "does not take a line and a context"),
        ("def bad(line, context, penalty): return line.event", "does not take a line and a context"),
        ("def bad(*lines): return lines[0].event", "does not take a line and a context"),
        ("def bad(line, context, penalty=-1): return line.event", "is not keyword-only"),
        ("def bad(line, context, *, penalty): return line.event", "has no default"),
        ("def bad(line, context, *, penalty='x'): return line.event", "'penalty' of 'bad' is 'x'"),
        ("def bad(line, context, *, penalty=float('inf')): return line.event", "'penalty' of 'bad' is inf"),
        ("@rule('a rule', source='x')\ndef bad(line, context): return line.event", "'a rule' is not a valid name"),
    ],
)
def test_signatures_that_cannot_be_called(here: Path, text: str, said: str) -> None:
    told, _ = refused(text)
    assert told.startswith("my_rules.py, line 4: ")
    assert said in told


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return line.event[:, 1:]", "returned shape (3, 0) for a line of one step"),
        ("return 1.0", "returned shape ()"),
        ("return None", "did not return numbers"),
        ("return line.event.astype(str)", "did not return numbers"),
        ("return line.event * 1j", "did not return numbers"),
        ("return [[1], [1, 2]]", "fails on a line of one step"),
        ("yield 1", "did not return numbers"),
        ("return np.where(line.event == ON, np.nan, 0)", "returned nan at step 1 of a line of one step"),
        ("return np.full(line.event.shape, np.inf)", "returned inf at step 1"),
        ("return line.no_such_thing", "at line 5: AttributeError"),
        ("import sys; sys.exit()", "fails on a line of one step, at line 5: SystemExit"),
        ("return 0.0 * line.event + min(p for p in line.pitch.flat if p >= 0)", "fails on a line without notes"),
        ("line.pitch[:] = 0; return line.event", "changes its line in place (line.pitch, at line 5)"),
        ("line.event.sort(axis=1); return line.event", "changes its line in place (line.event, at line 5)"),
        ("return np.random.random(line.event.shape)", "for the same melodies when called again"),
        ("return line.event - line.event.mean()", "depend on the other melodies"),
        ("return line.event == line.event.max(axis=0)", "depend on the other melodies"),
        ("return line.event - line.event.mean(axis=1, keepdims=True)", "depends on later notes"),
        ("return np.arange(line.steps) == line.steps - 1 + 0 * line.event", "depends on the padding"),
        ("return np.pad(line.event, ((0, 0), (0, 1)))[:, 1:] == ON", "depends on later notes"),
        ("return np.cumsum((line.event * line.valid)[:, ::-1], axis=1)[:, ::-1]", "depends on later notes"),
        ("return (line.pitch == np.where(line.valid, line.pitch, -1).max(axis=1, keepdims=True))",
         "depends on later notes"),
    ],
)  # fmt: skip
def test_rules_that_break_the_contract(here: Path, body: str, said: str) -> None:
    told, hint = refused(f"def bad(line, context):\n    {body}\n")
    assert told.startswith("my_rules.py, line 4: the rule 'bad' ")
    assert said in told
    assert hint


def test_a_rule_that_counts_its_calls_is_not_repeatable(here: Path) -> None:
    text = "calls = []\ndef bad(line, context):\n    calls.append(1)\n    return len(calls) + 0.0 * line.event\n"
    assert "for the same melodies when called again" in refused(text)[0]


@pytest.mark.parametrize(
    "body",
    [
        "return (np.arange(line.steps) == line.length[:, None] - 1) * line.event",  # the last step alone
        "return (np.arange(line.steps) >= line.length[:, None] - 4) * (line.event == 0)",  # the last beat
        "return np.arange(line.steps) / line.length[:, None] + 0 * line.event",  # how far the melody has come
        "return np.maximum.accumulate(line.pitch, axis=1)",
        "return (np.arange(line.steps) == line.length[:, None] - 1) * (line.pitch * line.valid).sum(axis=1)[:, None]",
        "return np.where(line.valid, 0.0, np.nan)",  # the padding counts for nothing
        "return line.event * (np.arange(line.steps) % context.steps_per_bar == 0)",
        "return [[1] * line.steps] * line.melodies",
    ],
)
def test_what_is_allowed(here: Path, body: str) -> None:
    Path("my_rules.py").write_text(HEAD + f"def good(line, context):\n    {body}\n")
    assert load_user_rules(Path("my_rules.py"), "good")[0].name == "good"


def test_all_rules_of_the_catalogue_keep_the_contract(capsys: pytest.CaptureFixture[str]) -> None:
    for rules in RULE_SETS.values():
        for one in rules.rules:
            check_rule(one)
            assert steps_per_second(one) > 20_000
    assert capsys.readouterr().err == ""


def test_a_slow_rule_is_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def slow(line, context):  # type: ignore[no-untyped-def]
        return np.array([[sum(range(20_000)) * 0.0 for _ in row] for row in line.event])

    check_rule(Rule.from_function(slow))
    assert "'slow' is slow: about" in capsys.readouterr().err


def test_the_trials_are_of_every_kind() -> None:
    lines = [trial.line for trial in trials()]
    assert min(line.steps for line in lines) == 1
    assert any((line.event != 2).all() for line in lines)
    assert any((line.length < line.steps).any() for line in lines)
    assert any((line.event == 2).all() and (line.pitch_classes.max(initial=0) > 2048) for line in lines)
    assert all(((line.pitch >= 0) == (line.event == 2)).all() for line in lines)
    assert [trial.line.pitch.tolist() for trial in trials()] == [line.pitch.tolist() for line in lines]
