"""Markdown and CSV beside the report: all numbers, reasons, and words that stay words."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cantilena.reporting.data import ReportData
from cantilena.reporting.html import COLUMNS, report_markdown, results_csv, write_report


def test_markdown_holds_summary_verdicts_and_all_numbers(report_data: ReportData) -> None:
    text = report_markdown(report_data)
    assert text.startswith("# Melodies by the LSTM")
    assert "2 systems composed 1,000 melodies each" in text
    assert "- ✓ **lstm+rl**: no number tells it from people's melodies" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert rows[0] == "| | human (412) | lstm (1,000) | lstm+rl (1,000) |"
    assert "| Notes in a motif ↑ | 28.0 % (27.0 to 29.0) | 19.0 % (18.0 to 20.0) | 65.0 % (64.0 to 66.0) |" in rows
    assert len({row.count("|") for row in rows}) == 1
    assert "| Leaps resolved ↑ | –[^1] |" in text or "–[^" in text
    for number in range(1, text.count("\n[^") + 1):
        assert f"[^{number}]:" in text


def test_words_from_outside_are_no_markup_in_markdown(report_data: ReportData) -> None:
    text = report_markdown(report_data)
    assert not re.search(r"(?<!\\)[<>]", text)
    assert "\\<script\\>" in text
    hostile = {"systems": {"a|b\n# c*": {"melodies": 1, "metrics": {"in_motif": {"value": 0.5}}}}}
    assert "| | a\\|b \\# c\\* (1) |" in report_markdown(ReportData(hostile))


def test_csv_is_tidy_and_says_why_numbers_are_missing(results: dict[str, Any]) -> None:
    text = results_csv(results)
    assert text.count("\r\n") == text.count("\n")
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    assert tuple(header) == COLUMNS
    assert len(rows) == sum(len(system["metrics"]) for system in results["systems"].values())
    by_key = {(row[0], row[1]): row[2:] for row in rows}
    assert by_key["lstm", "in_motif"] == ["0.19", "0.18", "0.2", "1000", ""]
    assert float(by_key["lstm", "autocorrelation_1"][0]) == -0.16
    value, low, high, _, reason = by_key["lstm", "leaps_resolved"]
    assert (value, low, high) == ("", "", "")
    assert reason == results["systems"]["lstm"]["metrics"]["leaps_resolved"]["reason"]


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(1)", "\tx", "\r=1", "\n=1"])
def test_no_name_becomes_a_formula(name: str) -> None:
    metrics = {"in_motif": {"value": -0.5, "reason": name}, name: {"value": 1.0, "melodies": 7}}
    text = results_csv({"systems": {name: {"melodies": 3, "metrics": metrics}}})
    _, first, second = csv.reader(io.StringIO(text, newline=""))
    assert first[0] == first[6] == second[1] == f"'{name}"
    assert (first[2], first[5], second[5]) == ("-0.5", "3", "7")


def test_quotes_commas_and_lines_come_back_from_csv() -> None:
    name = 'a, "b"\r\nc'
    text = results_csv({"systems": {name: {"melodies": 3, "metrics": {"in_motif": {"value": 0.5}}}}})
    assert next(iter(list(csv.reader(io.StringIO(text, newline="")))[1:]))[0] == name


def test_both_lie_beside_the_report_and_name_no_place(report_data: ReportData, tmp_path: Path) -> None:
    write_report(tmp_path / "report.html", report_data)
    assert {"report.md", "results.csv", "report.html"} <= {file.name for file in tmp_path.iterdir()}
    for name in ("report.md", "results.csv", "report.html"):
        assert str(tmp_path) not in (tmp_path / name).read_text(encoding="utf-8")
    assert (tmp_path / "results.csv").read_bytes().decode() == results_csv(report_data.results)


def test_nothing_measured_is_a_document_all_the_same() -> None:
    assert "Nothing was measured in this run." in report_markdown(ReportData({}))
    assert results_csv({}) == ",".join(COLUMNS) + "\r\n"
    unnamed = replace(ReportData({"systems": {"a": {"metrics": {}}}}), title="")
    assert "1 system has 0 melodies" in report_markdown(unnamed)
