"""Analysis and report of simulated answers: known shares, the mark of simulated listeners, tables and the page."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from cantilena.errors import RunError
from cantilena.listening import Analysis, AnswerTables, Study, analyse, analysis_text, write_report
from cantilena.listening.analysis.report import report_figures, report_html

HOSTILE = "</style><script>alert(1)</script>$&"


@pytest.fixture(scope="module")
def analysis(study: Study, answers: AnswerTables) -> Analysis:
    return analyse(study, answers)


@pytest.fixture(scope="module")
def written(analysis: Analysis, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_report(analysis, tmp_path_factory.mktemp("report") / "report")


def test_the_simulated_shares_are_within_their_intervals(analysis: Analysis) -> None:
    for arm, share in zip(analysis.arms, (0.75, 0.25, 0.5), strict=True):
        assert arm.share.low <= share <= arm.share.high
        assert arm.model_share.low <= share <= arm.model_share.high
        assert arm.share.high - arm.share.low >= arm.wilson.high - arm.wilson.low
    assert analysis.arms[1].d_prime.low > 0
    significant = {(test.kind, test.arm) for test in analysis.tests if test.significant}
    assert ("told", "lstm") in significant
    assert not any(kind == "equal" for kind, _ in significant)


def test_the_same_answers_give_the_same_values(study: Study, answers: AnswerTables, analysis: Analysis) -> None:
    assert analyse(study, answers).tests == analysis.tests


def test_the_papers_score_is_rounded_once(analysis: Analysis) -> None:
    lstm = analysis.arms[1]
    assert abs(lstm.passed_of_ten - 10 * lstm.called_human / lstm.trials) <= 0.5
    text = analysis_text(analysis)
    assert f"Turing score {lstm.passed_of_ten / 10:.1f}, passed {lstm.passed_of_ten} of 10" in text
    assert f"{lstm.passed} of {lstm.clips} clips" in text


def test_simulated_listeners_are_marked_everywhere(analysis: Analysis, written: dict[str, Path]) -> None:
    assert "nobody was asked" in written["report.html"].read_text()
    assert "nobody was asked" in analysis_text(analysis)
    results = json.loads(written["results.json"].read_text())
    assert results["simulated"] is True
    assert results["arms"]["human"]["d_prime"]["value"] is None
    assert results["arms"]["human"]["d_prime"]["reason"]
    assert results["arms"]["lstm"]["turing_score"] == pytest.approx(analysis.arms[1].share.value, abs=0.05)


def test_tables_have_every_listener_clip_and_test(analysis: Analysis, written: dict[str, Path]) -> None:
    rows = {
        name: list(csv.DictReader(path.read_text().splitlines()))
        for name, path in written.items()
        if name.endswith(".csv")
    }
    assert len(rows["listeners.csv"]) == 3 * len(analysis.listeners)
    assert sum(int(row["trials"]) for row in rows["clips.csv"]) == len(analysis.screened.trials)
    assert [row["stands"] for row in rows["claims.csv"]] == [str(int(test.significant)) for test in analysis.tests]
    assert {row["arm"] for row in rows["arms.csv"]} == set(analysis.study.arms)
    page = written["report.html"].read_text()
    for names in ([clip.clip for clip in analysis.clips], [listener.name for listener in analysis.listeners]):
        assert all(f'<th scope="row">{name}</th>' in page for name in names)


def test_a_report_is_overwritten_only_on_request(analysis: Analysis, written: dict[str, Path]) -> None:
    with pytest.raises(RunError, match="exists already"):
        write_report(analysis, written["report.html"].parent)


def test_a_hostile_title_is_text_and_nothing_is_fetched(analysis: Analysis) -> None:
    hostile = replace(analysis, study=replace(analysis.study, title=HOSTILE))
    drawings = report_figures(hostile)
    page = report_html(hostile, drawings)
    assert "<script" not in page
    assert "http" not in page.replace("http://www.w3.org", "").replace("http-equiv", "")
    assert page == report_html(hostile, drawings)
    assert page.count("<figure>") == 4
