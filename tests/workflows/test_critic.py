"""Critics of whole melodies in small: what they tell, the same again, what is refused, and the command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cantilena.cli import main
from cantilena.data import Corpus, Entry, Manifest
from cantilena.errors import CorpusError, UsageError
from cantilena.generation import Composer
from cantilena.models import Bars, Bundle, FormModel, MelodyCritic, Network, NetworkOptions, find_bundle
from cantilena.music import Form, Key, Melody, Meter
from cantilena.tokenizers import END, NotesEncoding, parse_tokens
from cantilena.workflows import learn_critic
from cantilena.workflows.critic import compose_like
from cantilena.workflows.data import encode_pieces

NOTES = NotesEncoding((1, 6, 12, 24, 36, 48), 60, 79)
FORMS = FormModel.learned_from([(Meter(), Form.parse("A4A'4B8"))], [(Meter(), 24), (Meter(), 0)])
SCALE = (60, 62, 64, 65, 67, 69, 71, 72)


def tune(rng: np.random.Generator, *, bars: int = 2, pickup: int = 0) -> Melody:
    """Eighths of C major that end on the tonic; a network that learned nothing plays all durations and pitches."""
    eighths = [(SCALE[rng.integers(8)], 12) for _ in range(8 * bars - 2 + pickup // 12)]
    return Melody.from_pitches([*eighths, (60, 24)], key=Key(), pickup=pickup)


def corpus_of(train: int, valid: int, *, seed: int = 1) -> Corpus:
    rng = np.random.default_rng(seed)
    splits = ["train"] * train + ["valid"] * valid
    entries = [Entry(tune(rng), piece=str(number), split=split) for number, split in enumerate(splits)]
    return Corpus.from_entries(entries, Manifest("eighths"))


def bundle_of(**provenance: Any) -> Bundle:
    pitches = NOTES.high - NOTES.low + 1
    options = NetworkOptions(width=8, embedding=8, durations=NOTES.durations, pitches=pitches, plan=True)
    weights = Network(options, len(NOTES.vocabulary), seed=2).numpy_weights()
    told = {"plain_keys": True, "forms": FORMS.to_json(), **provenance}
    return Bundle(options, weights, NOTES.description(), provenance=told)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return corpus_of(96, 32)


@pytest.fixture(scope="module")
def critic(corpus: Corpus) -> MelodyCritic:
    return learn_critic(bundle_of(), corpus, seed=3, quiet=True)


def odds(critic: MelodyCritic, melodies: list[Melody]) -> np.ndarray:
    rows = [NOTES.encode(NOTES.fit(melody).melody) for melody in melodies]
    bars = [Bars.from_meter(Meter(), melodies=1, ticks_per_step=1, length=melody.length) for melody in melodies]
    return np.array([critic.log_odds(row[None], one)[0] for row, one in zip(rows, bars, strict=True)])


def test_people_and_a_model_are_told_apart(critic: MelodyCritic, corpus: Corpus) -> None:
    rng = np.random.default_rng(9)
    people = [tune(rng) for _ in range(24)]  # that it did not learn from
    drawn = compose_like(Composer.from_bundle(bundle_of()), encode_pieces(NOTES, people), seed=8, quiet=True)
    composed = [NOTES.decode(tokens) for tokens in drawn]
    assert odds(critic, people).min() > 0.5 > -0.5 > odds(critic, composed).max()
    record = critic.provenance
    assert record["corpus"] == {"name": "eighths", "sha256": corpus.sha256}
    assert (record["seed"], record["melodies"]) == (3, {"train": 96, "valid": 32})
    assert record["valid"]["accuracy"] > 0.95
    assert 0.0 <= record["valid"]["cross_entropy"] < 0.4


def test_the_same_seed_gives_the_same_file(critic: MelodyCritic, corpus: Corpus, tmp_path: Path) -> None:
    again, other = (learn_critic(bundle_of(), corpus, seed=seed, quiet=True) for seed in (3, 4))
    paths = [tmp_path / f"{name}.safetensors" for name in ("first", "again", "other")]
    for one, path in zip((critic, again, other), paths, strict=True):
        one.save(path)
    first, second, third = (path.read_bytes() for path in paths)
    assert first == second != third
    loaded = MelodyCritic.load(paths[0])
    assert loaded.encoding == NOTES
    assert loaded.provenance == critic.provenance


@pytest.mark.parametrize("forms", [FORMS, None], ids=["forms", "no forms"])
def test_what_is_composed_is_like_each_piece_and_depends_on_no_other(forms: FormModel | None) -> None:
    rng = np.random.default_rng(5)
    people = [tune(rng, bars=bars, pickup=pickup) for bars, pickup in ((4, 0), (2, 24), (3, 36), (1, 0), (6, 12))]
    composer = replace(Composer.from_bundle(bundle_of()), forms=forms)
    drawn = compose_like(composer, encode_pieces(NOTES, people), seed=2, quiet=True)
    for tokens, melody in zip(drawn, people, strict=True):
        assert NOTES.decode(tokens).length == melody.length
    fewer = compose_like(composer, encode_pieces(NOTES, people[:2]), seed=2, quiet=True)
    for alone, among in zip(fewer, drawn, strict=False):
        np.testing.assert_array_equal(alone[alone != END], among[among != END])
    other = compose_like(composer, encode_pieces(NOTES, people[:2]), seed=3, quiet=True)
    assert [row.tolist() for row in other] != [row.tolist() for row in fewer]


def test_what_no_critic_can_learn_from_is_refused(corpus: Corpus) -> None:
    with pytest.raises(UsageError, match="judges melodies of notes") as error:
        learn_critic(Bundle.load(find_bundle("tunes+rl-tuner")), corpus, quiet=True)
    assert "--encoding notes" in error.value.hint
    for train, valid in ((31, 32), (32, 31), (40, 0), (0, 40)):
        with pytest.raises(CorpusError, match=f"there are {train} and {valid}") as few:
            learn_critic(bundle_of(), corpus_of(train, valid), quiet=True)
        assert "32 melodies" in few.value.text
        assert few.value.hint == "give a larger corpus"


def test_inner_voices_are_no_melodies_to_learn_from() -> None:
    melodies = corpus_of(40, 40)
    inner = [
        Entry(
            replace(melody, source=f"bach/{number}.mxl#alto"),
            piece=str(number),
            split="train" if number % 2 else "valid",
        )
        for number, melody in enumerate(melodies)
    ]
    with pytest.raises(CorpusError, match="there are 0 and 0"):
        learn_critic(bundle_of(), Corpus.from_entries(inner, Manifest("inner")), quiet=True)


@pytest.fixture(scope="module")
def files(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `notes.safetensors`, a model of a corpus that does not ship, and `eighths.arrow`."""
    folder = tmp_path_factory.mktemp("files")
    bundle_of(corpus={"name": "eighths"}).save(folder / "notes.safetensors")
    corpus.save(folder / "eighths.arrow")
    return folder


def refused(capsys: pytest.CaptureFixture[str], status: int, *words: str) -> str:
    capsys.readouterr()
    assert main(["train", "critic", *words, "--json"]) == status
    answer = json.loads(capsys.readouterr().out)
    assert set(answer) == {"error", "hint"}
    assert answer["hint"]
    return f"{answer['error']}; {answer['hint']}"


def test_the_command_trains_a_critic_that_a_search_uses(
    files: Path, critic: MelodyCritic, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, out, against = (
        str(files / "notes.safetensors"),
        tmp_path / "critic.safetensors",
        str(files / "eighths.arrow"),
    )
    words = ["train", "critic", model, "--out", str(out), "--against", against, "--seed", "3"]
    assert main([*words, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["critic"], answer["bytes"]) == (str(out), out.stat().st_size)
    assert {**answer, "critic": None, "bytes": None} == {**critic.provenance, "critic": None, "bytes": None}
    critic.save(tmp_path / "mine.safetensors")
    made = out.read_bytes()
    assert made == (tmp_path / "mine.safetensors").read_bytes()

    assert "exists already" in refused(capsys, 1, *words[2:])
    assert out.read_bytes() == made
    out.write_bytes(b"mine")
    assert main([*words, "--force"]) == 0
    assert out.read_bytes() == made
    assert "of melodies that it did not learn from" in capsys.readouterr().out

    compose = ["compose", model, "-n", "32", "--bars", "2", "--form", "free", "--no-copy-check", "--json", "--out"]
    judged = []
    for name, search in (("found", ["--search", "16", "--critic", str(out)]), ("first", [])):
        assert main([*compose, str(tmp_path / name), *search]) == 0
        tokens = [
            parse_tokens(NOTES, " ".join(one["tokens"])) for one in json.loads(capsys.readouterr().out)["melodies"]
        ]
        judged.append(odds(critic, [NOTES.decode(row) for row in tokens]).mean())
    assert judged[0] > judged[1]


def test_what_the_command_cannot_do_is_refused_before_it_works(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cantilena.workflows.critic.compose_like", None)  # so that nothing is composed
    model, against = str(files / "notes.safetensors"), str(files / "eighths.arrow")
    out = str(tmp_path / "critic.safetensors")
    assert "is a folder" in refused(capsys, 2, model, "--out", str(tmp_path), "--against", against, "--force")
    assert "--against" in refused(capsys, 2, model, "--out", out)
    assert "judges melodies of notes" in refused(capsys, 2, "tunes+rl-tuner", "--out", out, "--against", against)
    assert "there is no bundle" in refused(capsys, 1, "no such model", "--out", out, "--against", against)
    assert "no such corpus" in refused(capsys, 1, model, "--out", out, "--against", "no such corpus")
    assert list(tmp_path.iterdir()) == []
