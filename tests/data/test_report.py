"""The corpus report, as JSON and as text."""

from __future__ import annotations

import json

import pytest

from cantilena.data import Corpus, Entry, Manifest, Skipped, corpus_report
from cantilena.data.store import DoubtfulPlace
from cantilena.music import Key, Melody, Meter


def corpus() -> Corpus:
    entries = [
        Entry(
            Melody.from_pitches([(60 + k, 24)] * (k + 1), key=Key(0), meter=Meter(3 + k % 2, 4)),
            piece=str(k),
            split=("train", "train", "test")[k],
            folded=k,
            rounded=10 * k,
        )
        for k in range(3)
    ]
    skipped = (
        Skipped("a.mid", "near-duplicate of b.mid"),
        Skipped("c.mid", "near-duplicate of d.mid"),
        *(Skipped(f"e{number}.mid", "no notes") for number in range(5)),
    )
    return Corpus.from_entries(entries, Manifest("mine", read=3, skipped=skipped, ignored={".txt": 1000}))


def test_json_has_the_promised_keys() -> None:
    found = corpus_report(corpus(), vocabulary=12, folded=1, rounded=2).to_json()
    assert json.loads(json.dumps(found)) == found
    expected = {"read": 3, "melodies": 3, "notes": 6, "vocabulary": 12, "folded": 4, "rounded": 32}
    assert expected.items() <= found.items()
    assert found["split"] == {"train": 2, "valid": 0, "test": 1}
    assert found["skipped"][0] == {"file": "a.mid", "reason": "near-duplicate of b.mid"}
    assert found["range"] == [60, 62]
    assert found["meters"] == {"3/4": 2, "4/4": 1}


def test_text_groups_the_reasons() -> None:
    lines = corpus_report(corpus(), vocabulary=12).text().splitlines()
    assert lines[0] == "read      3 files; 7 skipped; 1,000 files beside them are no scores"
    assert lines[-2:] == [
        "     5  no notes: e0.mid, e1.mid, e2.mid and 2 more",
        "     2  near-duplicate of another: a.mid, c.mid",
    ]


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        (
            "its XML is damaged: a token (x): line {} (export it)",
            "its XML is damaged (export it)",
        ),
        ("line {} has 1 columns, not 2 (part them)", "a line has too few or too many columns (part them)"),
        ("{} of its 90 bars are doubtful, such as bar 3: short (correct it)", "many bars are doubtful"),
        ("near-duplicate of {}.abc", "near-duplicate of another"),
    ],
)
def test_reasons_that_differ_by_the_place_are_one(reason, kind) -> None:
    skipped = tuple(Skipped(f"{number}.krn", reason.format(number)) for number in range(2))
    entries = [Entry(Melody.from_pitches([(60, 24)]), "a")]
    report = corpus_report(Corpus.from_entries(entries, Manifest("mine", skipped=skipped)), vocabulary=2)
    assert report.reasons() == {kind: ["0.krn", "1.krn"]}


def test_an_empty_part_is_counted_too() -> None:
    found = corpus_report(corpus().split("valid"), vocabulary=0)
    assert (found.melodies, found.notes, found.range) == (0, 0, (None, None))
    assert "range     -" in found.text()


def test_doubtful_places_are_grouped_and_kept() -> None:
    doubts = tuple(
        DoubtfulPlace(f"{number}.abc", str(number), "V1", f"the bar lasts {number}/8 of 4/4") for number in range(5)
    )
    manifest = Manifest("mine", read=5, doubts=(*doubts, DoubtfulPlace("x.krn", "", "", "an open tie")))
    assert Manifest.from_json(manifest.to_json()) == manifest
    report = corpus_report(Corpus.from_entries([Entry(Melody.from_pitches([(60, 24)]), "a")], manifest), vocabulary=2)
    assert report.to_json()["doubts"][0] == {
        "file": "0.abc", "bar": "0", "voice": "V1", "text": "the bar lasts 0/8 of 4/4",
    }  # fmt: skip
    assert report.text().splitlines()[-3:] == [
        "doubtful places: 6 in 6 melodies",
        "     5  the bar lasts .. of ..: 0.abc, bar 0; 1.abc, bar 1; 2.abc, bar 2",
        "     1  an open tie: x.krn",
    ]
