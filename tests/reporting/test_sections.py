"""What was copied, what differs, what people reach: arranged for the page as it was found."""

from __future__ import annotations

from dataclasses import replace

from cantilena.metrics.permutation import Difference
from cantilena.music import Melody
from cantilena.reporting.data import CopiedPassage, ReportData
from cantilena.reporting.html import run_facts
from cantilena.reporting.sections import MOST_DRAWN, by_card, copied_rows
from cantilena.reporting.tables import CEILING, difference_table, table_of_systems


def a_passage(notes: int, label: str = "", melody: int | None = None, system: str = "lstm") -> CopiedPassage:
    tune = Melody.from_pitches([(60, 12)] * 4)
    return CopiedPassage(system, label, notes, "1", "T", "t.abc", "2", tune, tune, False, melody)


def test_the_longest_passages_come_first_and_alone_are_drawn(report_data: ReportData) -> None:
    data = replace(report_data, copies=[a_passage(notes) for notes in (3, 20, *range(4, 12))])
    rows = copied_rows(data)
    assert [row.passage.notes for row in rows] == [20, 11, 10, 9, 8, 7, 6, 5, 4, 3]
    assert [bool(row.staves) for row in rows] == [True] * MOST_DRAWN + [False] * (10 - MOST_DRAWN)
    assert [row.anchor for row in rows[:2]] == ["copy-1", "copy-2"]


def test_a_passage_finds_its_melodys_card_by_number_or_by_label(report_data: ReportData) -> None:
    copies = [a_passage(9, melody=1), a_passage(8, label="001"), a_passage(7, label="nowhere"), a_passage(6, melody=7)]
    copies += [a_passage(5, label="001", system="unheard"), a_passage(4, melody=1)]
    rows = copied_rows(replace(report_data, copies=copies))
    assert [row.card for row in rows] == ["melody-2-2", "melody-2-1", "", "", "", "melody-2-2"]
    assert {card: row.passage.notes for card, row in by_card(rows).items()} == {"melody-2-2": 9, "melody-2-1": 8}
    assert rows[0].brief == "9 notes as in T"


def test_a_passage_without_notes_is_told_without_a_score(report_data: ReportData) -> None:
    empty = replace(a_passage(9), excerpt=Melody(()), source_excerpt=Melody(()))
    (row,) = copied_rows(replace(report_data, copies=[empty]))
    assert [staff.payload for staff in row.staves] == ["", ""]


def test_only_differences_that_hold_have_a_cell(report_data: ReportData) -> None:
    table = difference_table(report_data)
    assert [(pair.first, pair.second, pair.significant, pair.tested) for pair in table.pairs] == [
        ("human", "lstm", 1, 2), ("lstm", "lstm+rl", 1, 1),
    ]  # fmt: skip
    cells = {words.name: cells for words, cells in table.rows}
    assert list(cells) == ["in_motif", "kl_per_step"]
    first, second = cells["in_motif"]
    assert first is not None
    assert (first.text.replace("\xa0", " "), first.p, second) == ("28.0 → 19.0 %", "p 0.002", None)
    rest = dict(table.pairs[0].rest)
    assert rest["Distinct-4"] == "p 0.4"
    assert rest["Leaps resolved"].startswith("nothing to count")


def test_differences_of_numbers_that_are_not_told_say_by_how_much() -> None:
    nothing = float("nan")
    data = ReportData({}, differences=[
        Difference("a", "b", "swing", 0.25, 0.001, 0.01), Difference("a", "b", "in_motif", nothing, nothing, nothing),
        Difference("a", "c", "swing", None, 0.001, 0.01),
    ])  # fmt: skip
    table = difference_table(data)
    ((_, cells),) = table.rows
    assert [cell and cell.text.replace("\xa0", " ") for cell in cells] == ["by 25.0 %", "differs"]
    assert table.pairs[0].rest == (("Notes in a motif", "not tested"),)


def test_people_stand_first_and_the_published_only_when_asked() -> None:
    people = {"melodies": 5, "metrics": {"overlap": {"value": 0.9, "low": 0.8, "high": 0.95, "ceiling": True}}}
    results = {"systems": {"lstm": {"melodies": 9, "metrics": {"overlap": {"value": 0.7}}}, "human": people}}
    table = table_of_systems(results, published=False)
    assert [column.name for column in table.columns] == ["human", "lstm"]
    assert len(table.turing) == 2
    ((_, (row,)),) = table.groups
    assert [cell.note for cell in row.cells] == [CEILING, ""]
    assert len(table_of_systems(results).columns) == 8


def test_hashes_stand_beside_seeds_and_versions(report_data: ReportData) -> None:
    facts = dict(run_facts(report_data))
    assert [value for _, value in facts["Hashes, sha256"]] == ["9f" * 32]
