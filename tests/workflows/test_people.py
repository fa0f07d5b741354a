"""People's melodies beside a model's: from the corpus that it names, or one that is given, in its own words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cantilena.errors import CorpusError
from cantilena.io import write
from cantilena.models import Bundle, find_bundle
from cantilena.music import Key, Melody
from cantilena.workflows import reference_excerpts
from cantilena.workflows.learned_corpus import named_corpus, shipped_corpus


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return Bundle.load(find_bundle("tunes"))


def test_the_corpus_that_a_shipped_model_learned_is_found(bundle: Bundle) -> None:
    people = reference_excerpts(bundle, 128)
    assert people is not None
    assert people.tokens.shape[1] == 128
    assert len(people.tokens) == len(people.piece) == len(people.contexts) > 200
    assert {context.key for context in people.contexts} <= {Key.parse("C major"), Key.parse("A minor")}
    assert all(c.steps_per_bar == c.meter.ticks_per_bar // 6 for c in people.contexts)


def test_a_corpus_that_is_not_at_hand_is_said(bundle: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    stranger = replace(bundle, provenance={**bundle.provenance, "corpus": {"name": "my songs"}})
    assert reference_excerpts(stranger, 32) is None
    assert "--against" in capsys.readouterr().err
    assert reference_excerpts(replace(bundle, provenance={}), 32) is None


def test_a_folder_of_ones_own_is_not_taken_for_a_corpus_of_its_name(bundle: Bundle) -> None:
    learned = dict(bundle.provenance["corpus"])
    assert shipped_corpus(bundle) == learned["name"] == "tunes"
    another = {**learned, "name": "chorales"}
    assert shipped_corpus(replace(bundle, provenance={"corpus": another})) == ""
    assert named_corpus(replace(bundle, provenance={"corpus": another})) == "chorales"
    assert shipped_corpus(replace(bundle, provenance={"corpus": "tunes"})) == ""


def test_too_short_melodies_are_refused_where_they_were_asked_for(bundle: Bundle, tmp_path: Path) -> None:
    for number in range(3):
        write(Melody.of([(60 + number, 24), (62, 24), (64 + number, 24), (60, 24)] * 4), tmp_path / f"{number}.mid")
    people = reference_excerpts(bundle, 16, str(tmp_path))
    assert people is not None
    assert people.tokens.shape[1] == 16
    with pytest.raises(CorpusError, match="512 steps long"):
        reference_excerpts(bundle, 512, str(tmp_path))
