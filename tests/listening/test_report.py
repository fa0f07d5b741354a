"""Analysis and report of a rehearsal: the truth is told, nothing is claimed for people, hostile words are text."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from cantilena.errors import RunError
from cantilena.listening import Analysis, Answers, Study, analyse, analysis_text, digest_of, write_report
from cantilena.listening.analysis.report import drawings, page

HOSTILE = "</style><script>alert(1)</script>$&"


@pytest.fixture(scope="module")
def analysis(study: Study, answers: Answers) -> Analysis:
    return analyse(study, answers)


def test_the_planted_shares_are_within_their_intervals(analysis: Analysis) -> None:
    for arm, truth in zip(analysis.arms, (0.75, 0.25, 0.5), strict=True):
        assert arm.share.low <= truth <= arm.share.high
        assert arm.model_share.low <= truth <= arm.model_share.high
        assert arm.share.high - arm.share.low >= arm.wilson.high - arm.wilson.low
    assert analysis.arms[1].d_prime.low > 0
    standing = {(one.kind, one.one) for one in analysis.claims if one.stands}
    assert ("told", "lstm") in standing
    assert not any(kind == "equal" for kind, _ in standing)


def test_people_who_answer_the_same_lead_to_the_same_numbers(study: Study, answers: Answers) -> None:
    assert analyse(study, answers).claims == analyse(study, answers).claims


def test_the_papers_score_is_told_beside_what_it_leaves_out(analysis: Analysis) -> None:
    lstm = analysis.arms[1]
    assert abs(lstm.of_ten - 10 * lstm.called_human / lstm.trials) <= 0.5
    text = analysis_text(analysis)
    assert f"Turing score {lstm.of_ten / 10:.1f}, passed {lstm.of_ten} of 10" in text  # never one rounded up, one down
    assert f"passed {lstm.of_ten} of 10" in text
    assert f"{lstm.passed} of {lstm.clips} clips" in text


def test_simulated_listeners_are_called_so_everywhere(analysis: Analysis, tmp_path: Path) -> None:
    written = write_report(analysis, tmp_path / "report")
    assert "nobody was asked" in written["report.html"].read_text()
    assert "nobody was asked" in analysis_text(analysis)
    results = json.loads(written["results.json"].read_text())
    assert results["simulated"] is True
    assert results["arms"]["human"]["d_prime"]["value"] is None
    assert results["arms"]["human"]["d_prime"]["reason"]
    assert results["arms"]["lstm"]["turing_score"] == pytest.approx(analysis.arms[1].share.value, abs=0.05)


def test_tables_hold_every_listener_clip_and_claim(analysis: Analysis, tmp_path: Path) -> None:
    written = write_report(analysis, tmp_path / "report")
    rows = {
        name: list(csv.DictReader(path.read_text().splitlines()))
        for name, path in written.items()
        if name.endswith(".csv")
    }
    assert len(rows["listeners.csv"]) == 3 * len(analysis.listeners)
    assert sum(int(row["trials"]) for row in rows["clips.csv"]) == len(analysis.screened.trials)
    assert [row["stands"] for row in rows["claims.csv"]] == [str(int(one.stands)) for one in analysis.claims]
    assert {row["arm"] for row in rows["arms.csv"]} == set(analysis.study.arms)
    with pytest.raises(RunError, match="exists already"):
        write_report(analysis, tmp_path / "report")


def test_hostile_words_are_text_and_nothing_is_fetched(study: Study, answers: Answers) -> None:
    named = replace(study, title=HOSTILE, digest="")
    named = replace(named, digest=digest_of(named))
    asked = replace(answers, listeners=tuple(replace(one, study=named.digest) for one in answers.listeners))
    shown = analyse(named, asked)
    text = page(shown, drawings(shown))
    assert "<script" not in text
    assert "http" not in text.replace("http://www.w3.org", "").replace("http-equiv", "")
    assert text == page(shown, drawings(shown))
    assert text.count("<figure>") == 4
