"""The report: its tables, its HTML, Markdown and CSV contain the given data and nothing else."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import zlib
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from cantilena.io import render_note
from cantilena.metrics.registry import METRICS, get_metric
from cantilena.music import Melody, Tempo
from cantilena.reporting import html
from cantilena.reporting.data import ReportData, SystemMelodies
from cantilena.reporting.html import COLUMNS, report_markdown, results_csv, write_report
from cantilena.reporting.published import JAQUES, PAPER, PUBLISHED, SOURCES
from cantilena.reporting.scores import melody_facts, packed, piano_for, player, score_and_notes
from cantilena.reporting.tables import NO_LISTENERS, number, table_of_systems

CONTRACT = re.findall(
    r"\S+",
    "excessively_repeated not_in_key starts_on_tonic ends_on_tonic leaps_resolved unique_max unique_min in_motif "
    "in_repeated_motif autocorrelation_1 autocorrelation_2 autocorrelation_3 different_melodies distinct_4 kl_per_step "
    "log_likelihood_per_step",
)


class Page(HTMLParser):
    """Tags and attributes as a browser's parser sees them, and text by tag."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="module")
def fewer_figures(report_data: ReportData) -> ReportData:
    return replace(report_data, distributions=report_data.distributions[:1], similarity=[], curves=[])


@pytest.fixture(scope="module")
def written(fewer_figures: ReportData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "report.html"
    write_report(path, fewer_figures)
    return path


@pytest.fixture(scope="module")
def page(written: Path) -> Page:
    return Page(written.read_text(encoding="utf-8"))


def unpacked(letters: str) -> Any:
    return json.loads(zlib.decompress(base64.b64decode(letters)))


def test_every_metric_of_the_contract_has_words() -> None:
    assert set(CONTRACT) <= set(METRICS)
    assert all(words.definition.endswith(".") and words.label for words in METRICS.values())
    assert get_metric("paper.in_motif").group != get_metric("in_motif").group


def test_the_published_figures_are_those_that_were_published() -> None:
    by_name = {(system.authors, system.name): system for system in PUBLISHED}
    assert list(by_name) == [
        (PAPER, "LSTM"), (PAPER, "RL+LSTM"), (JAQUES, "Note RNN"), (JAQUES, "Q"), (JAQUES, "Psi"), (JAQUES, "G"),
    ]  # fmt: skip
    assert by_name[PAPER, "RL+LSTM"].values["in_motif"] == 0.695
    assert by_name[PAPER, "LSTM"].turing_score == 0.2
    assert by_name[JAQUES, "G"].values["autocorrelation_1"] == 0.55
    assert by_name[JAQUES, "Psi"].values["in_repeated_motif"] == 0.0009
    assert by_name[JAQUES, "Q"].turing_score is None
    assert set(SOURCES) == {PAPER, JAQUES}
    assert all(set(system.values) <= set(CONTRACT) for system in PUBLISHED)


def test_published_figures_agree_with_the_notes_beside_the_checkout(shared: Path) -> None:
    """The rows of the table in RL-TUNER.md, read by machine: what was typed is what is written there."""
    text = (shared / "RL-TUNER.md").read_text(encoding="utf-8")
    rows = {
        cells[1]: cells[2:6]
        for line in text.splitlines()
        if line.startswith("|") and len(cells := [cell.strip() for cell in line.split("|")]) >= 9
    }
    columns = [system for system in PUBLISHED if system.authors == JAQUES]
    for label, metric in (
        ("excessively repeated", "excessively_repeated"), ("not in key", "not_in_key"),
        ("starts with tonic", "starts_on_tonic"), ("leaps resolved", "leaps_resolved"), ("in motif", "in_motif"),
        ("in repeated motif", "in_repeated_motif"),
    ):  # fmt: skip
        typed = [round(100 * system.values[metric], 6) for system in columns]
        assert typed == [float(cell.removesuffix("%")) for cell in rows[label]], label
    for label, metrics in (
        ("unique max / min", ("unique_max", "unique_min")),
        ("autocorrelation 1 / 2 / 3", ("autocorrelation_1", "autocorrelation_2", "autocorrelation_3")),
    ):
        for system, cell in zip(columns, rows[label], strict=True):
            scale = 100 if "max" in label else 1
            typed = [round(scale * system.values[metric], 6) for metric in metrics]
            assert typed == [float(part) for part in cell.split("/")], label


def test_the_table_puts_our_numbers_beside_the_published(results: dict[str, Any]) -> None:
    table = table_of_systems(results)
    assert [column.name for column in table.columns[:3]] == ["human", "lstm", "lstm+rl"]
    assert table.column_groups == (("This run", 3), (PAPER, 2), (JAQUES, 4))
    row = next(row for _, rows in table.groups for row in rows if row.metric.name == "in_motif")
    shown = [cell.text.replace("\xa0", " ") for cell in row.cells]
    assert shown == ["28.0 %", "19.0 %", "65.0 %", "10.2 %", "69.5 %", "5.9 %", "75.7 %", "73.8 %", "69.3 %"]
    assert row.cells[2].interval == "64.0 to 66.0"


def test_nobody_has_been_asked(results: dict[str, Any]) -> None:
    table = table_of_systems(results)
    assert [cell.text for cell in table.turing] == [NO_LISTENERS] * 3 + ["0.2", "0.4", "–", "–", "–", "–"]


def test_a_number_that_is_missing_says_why(results: dict[str, Any]) -> None:
    table = table_of_systems(results)
    row = next(row for _, rows in table.groups for row in rows if row.metric.name == "leaps_resolved")
    assert row.cells[0].reason == "not measured for this system"
    assert row.cells[1].text == "–"
    assert row.cells[1].reason.startswith("nothing to count")
    assert table.reasons[table.note(row.cells[1]) - 1] == row.cells[1].reason


@pytest.mark.parametrize(
    ("value", "metric", "text"),
    [
        (0.0, "in_motif", "0.0 %"), (1.0, "in_motif", "100.0 %"), (0.00003, "in_motif", "0.003 %"),
        (0.00095, "in_motif", "0.1 %"), (0.0009, "in_motif", "0.09 %"), (-0.5, "autocorrelation_1", "−0.50"),
        (0.0123, "kl_per_step", "0.012"), (-1.234, "log_likelihood_per_step", "−1.23"),
    ],
)  # fmt: skip
def test_numbers_are_readable(value: float, metric: str, text: str) -> None:
    assert number(value, get_metric(metric)).replace("\xa0", " ") == text


@pytest.mark.e2e
def test_words_from_outside_never_become_markup(page: Page) -> None:
    scripts = [attributes for tag, attributes in page.tags if tag == "script"]
    assert [script.get("type") for script in scripts] == ["text/plain"] * 15 + ["application/json", None]
    assert not [tag for tag, _ in page.tags if tag in ("iframe", "object", "embed", "img")]
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert "<script>alert(1)</script>" in "".join(page.text)


def test_the_page_asks_for_nothing_from_anywhere(page: Page, written: Path) -> None:
    html = written.read_text(encoding="utf-8")
    assert not re.search(r"""(?:src|href|url\()\s*=?\s*["']?(?:https?:)?//""", html)
    assert not [a for tag, a in page.tags if tag == "link" and a["href"] != "data:,"]
    policy = next(a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'; script-src 'sha256-")


def test_links_lead_to_the_files_beside_the_report(page: Page, report_data: ReportData) -> None:
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    for suffix in ("mid", "musicxml", "wav", "svg"):
        assert f"melodies/human/001.{suffix}" in links
        assert f"melodies/lstm%2Brl/002.{suffix}" in links
    assert (
        player(replace(report_data.melodies[0], folder="javascript:alert(1)"), 0)
        .links[0][1]
        .startswith("javascript%3A")
    )
    anchors = {link[1:] for link in links if link and link.startswith("#")}
    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    assert anchors <= ids


def test_figures_lie_beside_the_report(written: Path, page: Page) -> None:
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    figures = [link for link in links if link and link.startswith("figures/")]
    assert sorted(figures) == sorted(f"figures/{file.name}" for file in (written.parent / "figures").iterdir())
    assert {"figures/figure-4.svg", "figures/figure-8.png", "figures/figure-10.png"} <= set(figures)


def test_the_page_says_what_was_run_and_read(page: Page) -> None:
    text = "".join(page.text)
    for words in (
        "training.epochs",
        "900 train, 100 valid, 100 test",
        "C3 to B5",
        "it is empty",
        "1.5 s",
        NO_LISTENERS,
    ):
        assert words in text


def test_the_same_data_give_the_same_page(report_data: ReportData) -> None:
    assert html.page(report_data, (), ()) == html.page(report_data, (), ())


@pytest.mark.e2e
def test_the_same_data_give_the_same_bytes(fewer_figures: ReportData, written: Path, tmp_path: Path) -> None:
    write_report(tmp_path / "report.html", fewer_figures)
    assert (tmp_path / "report.html").read_bytes() == written.read_bytes()


def test_a_report_of_nothing_is_a_page_all_the_same(tmp_path: Path) -> None:
    write_report(tmp_path / "report.html", ReportData(results={}))
    assert "Nothing was measured in this run." in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_player_follows_its_melody() -> None:
    melody = Melody.from_pitches([(60, 24), (None, 24), ((62, 65), 24)], tempo=Tempo(((0, 60.0), (48, 120.0))))
    follows = score_and_notes(melody)
    assert follows["notes"] == [[0.0, 1.0, 60], [2.0, 2.5, 62, 65]]
    assert follows["seconds"] == 2.5
    assert [(onset, end) for _, onset, end in follows["heads"]] == [(0.0, 1.0), (2.0, 2.5), (2.0, 2.5)]
    assert all(f'id="{identity}"' in follows["score"] for identity, _, _ in follows["heads"])
    assert follows["roll"].count('class="note"') == 3
    assert unpacked(packed(follows)) == follows
    assert melody_facts(Melody.from_pitches([(60, 24)])) == "4/4 · 1 note · 0 s"


def test_a_roll_stays_in_one_line_however_long() -> None:
    long = Melody.from_pitches([(60 + step % 12, 12) for step in range(400)])
    assert score_and_notes(long)["roll"].count("<g transform") == 1


def test_melodies_are_numbered_as_their_files() -> None:
    system = SystemMelodies("lstm", "", [Melody.from_pitches([(60, 24)])] * 1200, "melodies/lstm/")
    assert system.stem(0) == "melodies/lstm/0001"
    assert player(system, 11).links[0] == ("mid", "melodies/lstm/0012.mid")


def test_the_piano_of_a_page_has_each_pitch_once_and_long_enough() -> None:
    melodies = [Melody.from_pitches([(60, 12), (72, 96)]), Melody.from_pitches([((60, 64), 48), (60, 24 * 60)])]
    bank = piano_for(melodies)
    assert list(bank["clips"]) == ["60", "64", "72"]
    lengths = {}
    for pitch, letters in bank["clips"].items():
        clip, rate = soundfile.read(io.BytesIO(base64.b64decode(letters)))
        lengths[pitch] = len(clip) / rate - bank["release"][pitch]
        assert np.abs(clip).max() > 0.1
    assert lengths == pytest.approx({"60": 4.0, "64": 1.0, "72": 2.0}, abs=0.002)
    clip, rate = soundfile.read(io.BytesIO(base64.b64decode(bank["clips"]["64"])))
    assert np.abs(clip - render_note(64, seconds=1.0, rate=rate)).max() < 1e-4
    json.dumps(bank)


# Markdown and CSV beside the report


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
    for note in range(1, text.count("\n[^") + 1):
        assert f"[^{note}]:" in text


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


def test_both_are_beside_the_report_and_name_no_path(report_data: ReportData, written: Path) -> None:
    tmp_path = written.parent
    assert {"report.md", "results.csv", "report.html"} <= {file.name for file in tmp_path.iterdir()}
    for name in ("report.md", "results.csv", "report.html"):
        assert str(tmp_path) not in (tmp_path / name).read_text(encoding="utf-8")
    assert (tmp_path / "results.csv").read_bytes().decode() == results_csv(report_data.results)


def test_nothing_measured_is_a_document_all_the_same() -> None:
    assert "Nothing was measured in this run." in report_markdown(ReportData({}))
    assert results_csv({}) == ",".join(COLUMNS) + "\r\n"
    unnamed = replace(ReportData({"systems": {"a": {"metrics": {}}}}), title="")
    assert "1 system has 0 melodies" in report_markdown(unnamed)
