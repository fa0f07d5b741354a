"""From words to a call, and from tyro's refusals to one line in the user's words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
import tyro

from cantilena.cli.parsing import Positional, help_text, parse
from cantilena.errors import UsageError


@dataclass(frozen=True)
class Voice:
    """How it sounds."""

    loudness: float = 1.0
    """How loud."""
    vibrato: bool = True
    """Whether it trembles."""

    def __post_init__(self) -> None:
        if self.loudness < 0:
            raise UsageError("loudness -1 is below 0", "give 0 or more")


def sing(
    song: Positional[str], voice: Voice, *, out: Path, kind: Literal["alto", "bass"] = "alto", key: str | None = None
) -> tuple[object, ...]:
    """Sing.

    Args:
        song: What to sing.
        voice: How.
        out: Where to.
        kind: Which voice.
        key: In which key.

    Example:
        cantilena sing happy --out day
    """
    return song, voice, out, kind, key


def test_words_become_arguments_and_fields_of_options() -> None:
    call = parse(
        sing, ["happy", "--out", "a b", "--no-vibrato", "--loudness", "2", "--key", "D minor"], "cantilena sing"
    )
    assert call() == ("happy", Voice(2.0, vibrato=False), Path("a b"), "alto", "D minor")


@pytest.mark.parametrize("letters", [True, False], ids=["boxes", "ascii"])
@pytest.mark.parametrize(
    ("words", "text", "hint"),
    [
        ("", "SONG and --out PATH must be given", "`cantilena sing --help` shows the flags"),
        ("happy", "--out PATH must be given", "`cantilena sing --help` shows the flags"),
        ("happy --out x --kind tenor", "--kind cannot be tenor: it is one of alto, bass", "--help"),
        ("happy --out x --loudness much", "--loudness: 'much' is not a number", "--help"),
        ("happy --out x --loudnes 1", "unknown: --loudnes 1", "did you mean --loudness?"),
        ("happy --out x --loudness -1", "loudness -1 is below 0", "give 0 or more"),
        ("happy --out", "--out needs a value", "--help"),
    ],
)
def test_refusals_are_one_line_in_the_users_words(
    monkeypatch: pytest.MonkeyPatch, letters: bool, words: str, text: str, hint: str
) -> None:
    monkeypatch.setitem(tyro._experimental_options, "utf8_boxes", letters)
    with pytest.raises(UsageError) as refusal:
        parse(sing, words.split(), "cantilena sing")
    assert refusal.value.text == text
    assert hint in refusal.value.hint


@pytest.mark.parametrize("empty", ["", " "])
def test_an_empty_path_is_not_the_working_folder(empty: str) -> None:
    with pytest.raises(UsageError, match="--out: an empty name is neither a file nor a folder"):
        parse(sing, ["happy", "--out", empty], "cantilena sing")
    assert parse(sing, ["", "--out", "."], "cantilena sing")()[2] == Path()


def test_long_lines_are_read_back_whole_on_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    with pytest.raises(UsageError, match="--out PATH must be given"):
        parse(sing, ["happy"], "cantilena sing")
    flag = "--" + "x" * 200
    with pytest.raises(UsageError, match=flag):
        parse(sing, ["happy", "--out", "x", flag], "cantilena sing")


def test_help_names_defaults_and_hides_none() -> None:
    page = help_text(sing, "cantilena sing")
    assert "usage: cantilena sing [-h] [OPTIONS] SONG" in page
    assert "(default: alto)" in page
    assert "None" not in page
    assert page.rstrip().endswith("Example:\n    cantilena sing happy --out day")


def test_help_names_groups_for_people() -> None:
    def hum(options: Voice, *, times: int = 1) -> None:
        """Hum.

        Args:
            options: How.
            times: How often.
        """

    hum.__annotations__ = {"options": Voice, "times": int, "return": None}
    titles = [line for line in help_text(hum, "cantilena hum").splitlines() if line.startswith("╭")]
    assert [title.strip("╭╮─ ") for title in titles] == ["options", "more options"]
    assert len({len(title) for title in titles}) == 1


@pytest.mark.parametrize(("given", "told"), [("", "0 are"), ("a.mid", "1 is")])
def test_a_flag_of_two_values_says_how_many_it_takes(given: str, told: str) -> None:
    def go(*, between: tuple[str, str] | None = None) -> None:
        """Go from one to another."""

    with pytest.raises(UsageError, match=f"--between: takes 2 values, and {told} given"):
        parse(go, ["--between", *given.split()], "cantilena go")
