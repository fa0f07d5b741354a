"""Cards of models: what they say is true, what they cannot know they do not say, and strangers' words stay words."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import asdict, replace
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import numpy as np
import pytest

from cantilena.cli import main
from cantilena.cli.parsing import parse
from cantilena.cli.table import find_command
from cantilena.data import Corpus, Manifest, is_builtin, normalize_key
from cantilena.data.columns import Entry
from cantilena.errors import CorpusError, UsageError
from cantilena.io.notation.abc_reader import read_abc_tune
from cantilena.models import (
    Bundle,
    Network,
    NetworkOptions,
    NGram,
    NGramOptions,
    find_bundle,
    ngram_arrays,
    shipped_bundles,
)
from cantilena.music import Melody
from cantilena.rl import TuningOptions
from cantilena.runtime import options_record
from cantilena.tokenizers import EventsEncoding, GridEncoding, NotesEncoding, parse_tokens
from cantilena.training import TrainingOptions, preset
from cantilena.workflows import (
    card_markdown,
    licence_text,
    measure_for_card,
    shipped_models,
    tunes_grid_recipe,
    tunes_recipe,
    write_card,
)
from cantilena.workflows.cards.card import held_out_nats
from cantilena.workflows.cards.numbers import abc_text, melody_text
from cantilena.workflows.cards.recipe import reproduction_commands
from cantilena.workflows.cards.sources import licence_tags, sanitize, sources_of
from cantilena.workflows.train import config
from cantilena.workflows.train.bundling import corpus_facts
from cantilena.workflows.train.config import network_for, shape_and_training
from cantilena.workflows.train.options import NetworkTraining, TrainOptions, VaeTraining
from cantilena.workflows.train.vae import vae_shape

CHECKOUT = Path(__file__).resolve().parents[3]
KRUEGER = "CC BY-SA 3.0 DE"
SMALL = NetworkOptions(width=8, embedding=8, look_back=(1,))


@pytest.fixture(autouse=True)
def _fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cantilena.workflows.cards.numbers.MELODIES", 40)


def small_corpus(chords: bool = False) -> Corpus:
    rng = np.random.default_rng(3)
    entries = []
    for number in range(40):
        pitches = [int(pitch) for pitch in rng.choice([60, 62, 64, 65, 67, 69, 71, 72], 40)]
        pairs: list[Any] = [((pitch, pitch + 4) if chords and pitch % 3 == 0 else pitch, 12) for pitch in pitches]
        split = "train" if number < 30 else "valid" if number < 35 else "test"
        entries.append(Entry(Melody.from_pitches(pairs, title=f"Tune {number}"), piece=str(number), split=split))
    return Corpus.from_entries(entries, Manifest("small", licence="public domain"))


def bundle_of(corpus: Corpus, encoding: Any, *, tuned: bool = False, told_of: Any = None, **provenance: Any) -> Bundle:
    first, second = (Network(SMALL, len(encoding.vocabulary), seed=seed).numpy_weights() for seed in (1, 2))
    told: dict[str, Any] = {"corpus": corpus_facts(corpus), "plain_keys": encoding.name == "grid"}
    if told_of is not None:
        told["corpus"] = told_of
    if tuned:
        told["tuning"] = options_record(TuningOptions(steps=16))
    return Bundle(
        SMALL, first, encoding.description(), second if tuned else None, licence="public domain",
        provenance={**told, **provenance},
    )  # fmt: skip


def front_matter(card: str) -> dict[str, Any]:
    return dict(huggingface_hub.ModelCard(card, ignore_metadata_errors=False).data.to_dict())


@pytest.mark.parametrize("name", sorted(shipped_bundles()))
def test_what_ships_has_a_card_of_the_very_file(name: str) -> None:
    path = shipped_bundles()[name]
    card = path.with_name(f"{name}.md").read_text(encoding="utf-8")
    assert len(card.encode()) < 12_000
    assert sha256(path.read_bytes()).hexdigest() in card
    assert f"# {name}\n" in card
    told = front_matter(card)
    assert told["library_name"] == "cantilena"
    assert told["model-index"][0]["results"][0]["metrics"][0]["value"] == held_out_nats(card)
    assert not re.search(r"\b(nan|NaN|None)\b", card)


@pytest.mark.parametrize("name", sorted(set(shipped_bundles()) - {"tunes-vae"}))
def test_the_likelihood_of_the_card_is_that_of_the_training_run(name: str) -> None:
    path = shipped_bundles()[name]
    bundle = Bundle.load(path)
    card = path.with_name(f"{name}.md").read_text(encoding="utf-8")
    rows = {
        cells[1].strip(): [float(cell.split()[0]) for cell in cells[2:4]]
        for cells in (line.split("|") for line in card.splitlines())
        if len(cells) == 5 and cells[2].strip()[:1].isdigit()
    }
    before = [f"{name} before tuning"] if bundle.is_tuned else []
    harmony = getattr(bundle.options, "harmony", False)
    over_chords = [f"{name}, melodies over chords", f"{name}, the same, told their chords"] if harmony else []
    assert list(rows) == [name, *before, *over_chords, "n-gram with copies", "order 0 (frequencies)"]
    untuned = rows[before[0] if before else name]
    assert untuned[0] == pytest.approx(bundle.provenance["valid_nats_per_step"], abs=1e-3)  # of whole weights
    assert rows[name][1] == pytest.approx(held_out_nats(card), abs=6e-5)
    for better, worse in pairwise([untuned, *(rows[other] for other in [*rows][-2:])]):
        # Of the validation pieces of `piano` an n-gram that copies is still the better judge (docs/bundles.md).
        assert better[0] < worse[0] or name.startswith("piano")
        assert better[1] < worse[1]


@pytest.mark.parametrize("name", sorted(shipped_bundles()))
def test_a_card_repeats_the_commands_of_the_bundle_beside_it(name: str) -> None:
    path = shipped_bundles()[name]
    commands = reproduction_commands(Bundle.load(path), name)
    card = path.with_name(f"{name}.md").read_text(encoding="utf-8")
    told = "".join(f"{line}\n" for line in commands)
    assert ("To make it again:" in card) == bool(commands)
    assert f"To make it again:\n\n```sh\n{told}```\n" in card or not commands


def test_order_zero_is_the_entropy_of_the_frequencies() -> None:
    corpus = small_corpus()
    bundle = bundle_of(corpus, GridEncoding())
    numbers = measure_for_card(bundle, "mine", corpus)
    grid = GridEncoding()
    tokens = {
        split: np.concatenate(
            [grid.encode(normalize_key(melody, low=48, high=83)) for melody in corpus.melodies(split)]
        )
        for split in ("train", "test")
    }
    counts = np.bincount(tokens["train"], minlength=38).astype(float)
    seen = np.count_nonzero(counts)
    weight = counts.sum() / (counts.sum() + seen)  # Witten and Bell, on even odds
    p = weight * counts / counts.sum() + (1 - weight) / 38
    row = numbers.held_out[-1]
    assert row.name.startswith("order 0")
    assert row.nats["test"]["nats_per_step"] == pytest.approx(-np.log(p[tokens["test"]]).mean(), abs=1e-4)
    assert numbers.corpus == {"melodies": 40, "pieces": 40, "notes": 1600, "train": 30, "valid": 5, "test": 5}


def test_a_tuned_model_stands_beside_people_itself_before_and_its_sister(tmp_path: Path) -> None:
    corpus = small_corpus()
    tuned, before = bundle_of(corpus, GridEncoding(), tuned=True), bundle_of(corpus, GridEncoding())
    path = write_card(tuned, "mine+rl", corpus, {"mine": before}, tmp_path / "mine+rl.md")
    card = path.read_text(encoding="utf-8")
    assert "| | human | mine+rl | mine |" in card
    assert "| mine+rl before tuning |" in card
    assert "Melodies of 16 tokens" in card  # as it was tuned
    assert "SHA-256" not in card  # there is no file beside it
    assert "## Samples" in card
    assert "rules, which are not taste" in card
    assert write_card(tuned, "mine+rl", corpus, {"mine": before}, tmp_path / "b.md").read_text() == card


def test_notes_and_chords_of_several_sources_have_a_card_with_whom_to_name(tmp_path: Path) -> None:
    corpus = small_corpus(chords=True)
    events = EventsEncoding.learned_from(list(corpus))
    sources = [
        {"name": "piano", "licence": KRUEGER, "attribution": "Bernd Krueger, http://www.piano-midi.de", "pieces": 307},
        {"name": "tunes", "licence": "public domain"},
    ]
    bundle = replace(bundle_of(corpus, events, told_of={"name": "both", "sources": sources}), licence=KRUEGER)
    card = write_card(bundle, "piano", corpus, {}, tmp_path / "piano.md").read_text(encoding="utf-8")
    assert front_matter(card)["license"] == "cc-by-sa-3.0"
    assert "Attribution: Bernd Krueger, http://www.piano-midi.de." in card
    assert "**piano** (307 pieces). Licence: CC BY-SA 3.0 DE." in card
    assert "Apache-2.0, the licence of the code, does not cover them" in card
    assert "no time, rests" in card
    assert "no chords" not in card
    shown = card.split("by dots):\n\n```\n")[1].partition("\n```")[0]
    assert set(shown.split()) <= set(events.vocabulary)
    assert len(shown.split()) == 4 * 48
    text = licence_text(bundle, "piano")
    assert "Bernd Krueger, http://www.piano-midi.de" in text
    assert "only under the same licence" in text
    assert len(card.encode()) < 12_000


def test_an_n_gram_has_a_card_too(tmp_path: Path) -> None:
    corpus, grid = small_corpus(), GridEncoding()
    counted = NGram.fit([grid.encode(melody) for melody in corpus.melodies("train")], 38, NGramOptions(order=3))
    bundle = Bundle(
        counted.options, ngram_arrays(counted), grid.description(),
        provenance={"corpus": corpus_facts(corpus), "plain_keys": True},
    )  # fmt: skip
    card = write_card(bundle, "counted", corpus, {}, tmp_path / "counted.md").read_text(encoding="utf-8")
    assert "an n-gram of order 3" in card
    assert "cantilena train --corpus small --model ngram --order 3 --out runs/counted" in card
    assert front_matter(card)["tags"][4] == "n-gram"


def test_a_model_without_probabilities_says_why_it_has_no_likelihood(tmp_path: Path) -> None:
    corpus = small_corpus()
    bundle = replace(bundle_of(corpus, GridEncoding(), tuned=True), policy="argmax-q")
    card = write_card(bundle, "sure", corpus, {}, tmp_path / "sure.md").read_text(encoding="utf-8")
    assert "| sure | – | – | its policy plays one token" in card
    assert held_out_nats(card) is None


def test_what_cannot_be_measured_is_refused() -> None:
    corpus = small_corpus()
    bundle = bundle_of(corpus, GridEncoding())
    with pytest.raises(UsageError, match="wide and mine have different encodings"):
        measure_for_card(bundle, "mine", corpus, {"wide": bundle_of(corpus, GridEncoding(36, 90))})
    with pytest.raises(CorpusError, match="the part 'valid' of the corpus has no melody"):
        measure_for_card(
            bundle, "mine", Corpus.from_entries([Entry(corpus[0], piece="1", split="train")], Manifest("one"))
        )


def asked_by(line: str) -> TrainOptions | TuningOptions:
    """The options that a command of a card parses to."""
    words = shlex.split(line)
    command = find_command(words[1:])
    told = parse(command.load(), words[1 + len(command.name.split()) :], "x")
    given = told.args + tuple(told.keywords.values())
    return next(value for value in given if isinstance(value, TrainOptions | TuningOptions))


def check_command(line: str, bundle: Bundle) -> None:
    """Check that a command of a card makes the network of a bundle again, in the way in which it was made."""
    asked, options = asked_by(line), bundle.options
    made: dict[str, Any]
    if isinstance(asked, TuningOptions):
        done = dict(bundle.provenance["tuning"])
        for result in ("rules_used", "kept_update"):
            done.pop(result, None)
        # An option that came later is not in its record, and was as it is where nothing is asked.
        assert options_record(asked) == options_record(TuningOptions()) | done
        return
    kind = asked.of_kind()
    if isinstance(kind, VaeTraining):
        shape, training, learning = vae_shape(kind)
        made = options_record(training) | options_record(learning)
        assert shape == options
    else:
        assert isinstance(kind, NetworkTraining)
        assert isinstance(options, NetworkOptions)
        network, training = shape_and_training(kind)
        material: Any = SimpleNamespace(encoding=bundle.encoding, styles=dict.fromkeys(options.styles), train=None)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(config, "modes_of", lambda _: options.modes)
            assert network_for(network, kind, material) == options
        made = options_record(training)
    record = bundle.provenance["training"]
    assert {name: record.get(name, value) for name, value in made.items()} == made


def test_the_commands_of_a_card_parse_to_what_was_done() -> None:
    for name, path in shipped_bundles().items():
        bundle = Bundle.load(path)
        for line in reproduction_commands(bundle, name):
            check_command(line, bundle)


def test_other_trainings_are_told_by_their_flags() -> None:
    corpus = small_corpus()
    training = options_record(TrainingOptions(batch=16, learning_rate=0.001, seed=7))
    bundle = bundle_of(corpus, GridEncoding(36, 96), training={**training, "epochs_done": 3})
    bundle = replace(bundle, provenance={**bundle.provenance, "plain_keys": False})
    (line,) = reproduction_commands(bundle, "my model")
    assert line == (
        "cantilena train --corpus small --range C2-C7 --keys all --conditions none --no-blend --width 8 --embedding 8 "
        "--dropout 0.1 --look-back 1 --echoes 0 --batch 16 --learning-rate 0.001 --transpose 0 --seed 7 "
        "--out 'runs/my model'"
    )
    assert reproduction_commands(replace(bundle, provenance={}), "x") == []


def test_a_network_of_notes_is_told_as_what_it_is() -> None:
    encoding = NotesEncoding(low=43, high=83)
    options = replace(SMALL, durations=encoding.durations, pitches=41, without=("span",))
    weights = Network(options, len(encoding.vocabulary)).numpy_weights()
    training = {**options_record(TrainingOptions(batch=16)), "epochs_done": 3}
    told = {"corpus": corpus_facts(small_corpus()), "plain_keys": True, "training": training}
    bundle = Bundle(options, weights, encoding.description(), licence="public domain", provenance=told)
    (line,) = reproduction_commands(bundle, "mine")
    assert line.startswith(
        "cantilena train --corpus small --encoding notes --range G2-B5 --no-plan --no-harmony --without span "
        "--conditions none "
        "--no-blend --width 8 --embedding 8 --dropout 0.1 --look-back 1 "
    )
    assert "--head 0 " in line  # that of `train` is wider
    check_command(line, bundle)
    card = card_markdown(bundle, "mine")
    assert "A note is 2 tokens: one of 16 durations, then a pitch from G2 to B5 or a rest (59 tokens" in card
    assert "It can be given the length of a melody, and ends there" in card
    assert "triplets too" in card
    for untrue in ("repeat feature", "without durations", "does not know where", "eighth note"):
        assert untrue not in card


@pytest.mark.parametrize(
    "changes",
    [{}, {"core": "gru", "layers": 2, "head_width": 24, "plan": True, "max_context": 99}, {"repeat_features": 2}],
    ids=str,
)
@pytest.mark.parametrize("name", ["quick", "paper"])
def test_the_command_for_any_network_of_notes_makes_it_again(name: str, changes: dict[str, Any]) -> None:
    encoding = NotesEncoding()
    network, training = preset(name, "notes")
    modes = ("major", "minor", "dorian")
    shape: Any = {"durations": encoding.durations, "pitches": 36, "conditions": ("mode", "role"), "modes": modes}
    options = replace(network, width=8, embedding=8, layers=1, **shape)
    options = replace(options, **changes)
    told = {"corpus": corpus_facts(small_corpus()), "plain_keys": True, "training": options_record(training)}
    weights = Network(options, len(encoding.vocabulary)).numpy_weights()
    bundle = Bundle(options, weights, encoding.description(), weights, "likelihood", "public domain", told)
    tuning = TuningOptions(also_keys=("A minor", "D dorian"), steps=64)
    bundle = replace(bundle, provenance={**told, "tuning": options_record(tuning)})
    train, tune = reproduction_commands(bundle, "mine")
    assert ("--preset paper" in train) == (name == "paper")
    check_command(train, bundle)
    assert "--also-keys 'A minor' 'D dorian'" in tune
    assert asked_by(tune) == tuning
    card = card_markdown(bundle, "mine")
    assert "transposed to C major, A minor or D dorian." in card
    assert "It has only C major, A minor and D dorian" in card


def test_notes_with_chords_have_no_command_that_makes_something_else() -> None:
    encoding = NotesEncoding(chords=((), (4, 7)))
    options = replace(SMALL, durations=encoding.durations, pitches=36)
    weights = Network(options, len(encoding.vocabulary)).numpy_weights()
    told = {"corpus": corpus_facts(small_corpus()), "training": options_record(TrainingOptions())}
    bundle = Bundle(options, weights, encoding.description(), provenance=told)
    assert reproduction_commands(bundle, "mine") == []
    assert "To make it again" not in card_markdown(bundle, "mine")


def test_a_network_of_the_grid_that_is_told_the_last_notes_is_told_as_such() -> None:
    options = replace(SMALL, melodic=True)
    told = {"corpus": corpus_facts(small_corpus()), "training": options_record(TrainingOptions())}
    weights = Network(options, 38).numpy_weights()
    bundle = Bundle(options, weights, GridEncoding().description(), provenance={**told, "plain_keys": True})
    (line,) = reproduction_commands(bundle, "mine")
    assert " --melodic " in line
    check_command(line, bundle)


def test_a_card_of_notes_counts_sixteenths_and_shows_no_padding(tmp_path: Path) -> None:
    corpus = small_corpus()
    encoding = NotesEncoding.learned_from(list(corpus))
    options = replace(SMALL, durations=encoding.durations, pitches=36)
    told = {"corpus": corpus_facts(corpus), "plain_keys": True}
    bundle = Bundle(
        options, Network(options, len(encoding.vocabulary)).numpy_weights(), encoding.description(), provenance=told
    )
    card = write_card(bundle, "mine", corpus, {}, tmp_path / "mine.md").read_text(encoding="utf-8")
    assert "Melodies of 32 sixteenths (" in card
    shown = card.split("pitches of their notes:\n\n```\n")[1].partition("\n```")[0].split("\n\n")
    assert len(shown) == 4
    for melody in shown:
        tokens = parse_tokens(encoding, melody)
        assert encoding.decode(tokens).length == 64 * 6
        assert "end" not in melody


def test_a_training_in_several_processes_is_told_as_one() -> None:
    record = {**options_record(TrainingOptions(batch=16)), "epochs_done": 3, "processes": 4}
    bundle = bundle_of(small_corpus(), GridEncoding(), training=record)
    assert "batches of 16 in each of 4 processes" in card_markdown(bundle, "x")
    (line,) = reproduction_commands(bundle, "x")
    assert line.startswith("torchrun --nproc-per-node 4 -m cantilena train --corpus small ")
    for strange in (1, 0, -3, True, 2.5, "4; boom", 10**30, None):
        bundle = bundle_of(small_corpus(), GridEncoding(), training={**record, "processes": strange})
        assert reproduction_commands(bundle, "x")[0].startswith("cantilena train ")
        assert "processes" not in card_markdown(bundle, "x")


def test_abc_is_read_by_another_program_as_it_was_meant() -> None:
    pytest.importorskip("music21")
    tune = Melody.from_pitches(
        [(61, 30), (60, 6), (None, 12), (61, 6), (60, 42), (59, 96), (None, 6), (85, 90), (54, 6), (53, 6), (54, 84)]
    )
    score = read_abc_tune(abc_text(tune))
    (part,) = score.parts
    heard = np.stack([part.pitch, part.onset * 24 // score.resolution, part.duration * 24 // score.resolution], axis=1)
    assert heard.tolist() == [[note.top, note.onset, note.duration] for note in tune.notes]


def test_silence_and_nothing_are_written_too() -> None:
    assert abc_text(Melody(())).endswith("K:C\n |")
    assert melody_text(np.array([0, 1, 1, 1]), GridEncoding()).endswith("z4 |")


HOSTILE = "a\n# heading\n| x | <script>alert(1)</script> [l](http://e) `c` \x1b[31m" + "z" * 5000


@pytest.mark.parametrize(
    "provenance",
    [
        {},
        {"corpus": None, "training": 3, "tuning": "x", "plain_keys": 1},
        {"corpus": [HOSTILE, {"name": HOSTILE, "licence": HOSTILE, "notes": -4, "pieces": True}, 7]},
        {"corpus": {"name": HOSTILE, "sources": {"a": 1}}, "training": {"epochs": HOSTILE, "seed": [HOSTILE]}},
        {"corpus": {"name": "x"}, "training": {"seed": "1; rm -r /"}, "tuning": {"weights": [HOSTILE, 3], "steps": -1}},
        {"corpus": {"name": "$(boom)"}, "training": {"batch": "$(boom)"}, "tuning": {"rules": "`boom`", "value": {}}},
        {"corpus": ["c"] * 10_000, "imported": {"from": HOSTILE, "file": 3}},
    ],
)  # fmt: skip
def test_a_strangers_words_stay_words(provenance: dict[str, Any]) -> None:
    bundle = Bundle(
        SMALL, Network(SMALL, 38).numpy_weights(), GridEncoding().description(), provenance=provenance, licence=HOSTILE
    )
    card = card_markdown(bundle, HOSTILE, address=HOSTILE)
    front_matter(card)
    assert len(card.encode()) < 20_000
    assert "<script>" not in card
    assert "\x1b" not in card
    assert "\n# heading" not in card
    assert card.count("\n# ") == 1
    for line in reproduction_commands(bundle, HOSTILE):
        assert "\n" not in line
        words = shlex.split(line)
        assert "rm" not in words
        assert "$(boom)" in words or "boom" not in line.replace("'boom'", "")


def test_licences_become_the_hubs_words() -> None:
    assert licence_tags(["CC BY-SA 3.0 DE; Bernd Krueger"]) == {"license": "cc-by-sa-3.0"}
    assert licence_tags(["Apache 2.0"]) == licence_tags(["Apache-2.0"]) == {"license": "apache-2.0"}
    assert licence_tags(["CC BY-NC-SA 4.0"]) == {"license": "cc-by-nc-sa-4.0"}
    assert licence_tags(["CC0"])["license"] == "cc0-1.0"
    assert licence_tags([])["license"] == "unknown"
    assert licence_tags(["my own terms"])["license"] == "other"
    assert licence_tags(["public domain", ""])["license"] == "unknown"
    assert licence_tags(["CC BY 4.0", "CC BY-SA 4.0"])["license"] == "other"
    assert licence_tags(["submitted, with permission"])["license"] == "other"
    assert sanitize(3) == sanitize(None) == ""


def test_the_licence_of_the_weights_is_the_same_in_both_places() -> None:
    inside = find_bundle("tunes").with_name("LICENSE-weights")
    assert inside.read_bytes() == (CHECKOUT / "LICENSE-weights").read_bytes()
    text = inside.read_text(encoding="utf-8")
    assert "Attribution: Bernd Krueger, http://www.piano-midi.de" in text
    assert "Apache-2.0 does not cover these weights" in text


def test_the_source_of_the_licence_says_the_same(shared: Path) -> None:
    words = (shared / "data" / "piano-midi" / "ATTRIBUTION.md").read_text(encoding="utf-8")
    text = (CHECKOUT / "LICENSE-weights").read_text(encoding="utf-8")
    for said in ("CC BY-SA 3.0 DE", "Bernd Krueger, http://www.piano-midi.de"):
        assert said in words
        assert said in text


def test_models_are_listed_and_shown(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["models", "list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["models"]
    assert [row["name"] for row in rows] == [model.name for model in shipped_models()] == list(shipped_bundles())
    told = {row["name"]: row for row in rows}
    for name, path in shipped_bundles().items():
        assert told[name]["test_nats_per_step"] == held_out_nats(path.with_suffix(".md").read_text(encoding="utf-8"))
    corpora = "tunes, openscore-lieder and openscore-quartets"
    assert told["tunes+rl"]["what"] == f"an LSTM with 1 layer of 256 units, trained on {corpora}, tuned on cantilena"
    assert told["tunes+rl-tuner"]["what"] == (
        "an LSTM with 1 layer of 128 units and 2 repeat features, trained on tunes, tuned on rl-tuner+cantilena:density"
    )
    assert main(["models", "list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(rows)
    assert main(["models", "show", "tunes"]) == 0
    assert capsys.readouterr().out == find_bundle("tunes").with_suffix(".md").read_text(encoding="utf-8")
    bundle_of(small_corpus(), GridEncoding()).save(tmp_path / "mine.safetensors")
    (tmp_path / "mine.md").write_text("# not the card of a stranger")
    assert main(["models", "show", str(tmp_path / "mine.safetensors"), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert "Not measured here" in shown["card"]
    assert shown["sources"] == [{"name": "small", "licence": "public domain"}]
    assert main(["models", "show", "nothing"]) == 1
    assert "there is no bundle 'nothing'" in capsys.readouterr().err


def test_the_plan_of_what_ships_is_what_its_card_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    grid, notes = Bundle.load(find_bundle("tunes+rl-tuner")), Bundle.load(find_bundle("tunes"))
    recipe, grid_recipe = tunes_recipe(), tunes_grid_recipe()
    # To encode the corpus takes ten seconds.
    for one, bundle in ((recipe, notes), (grid_recipe, grid)):
        monkeypatch.setitem(one.__dict__, "material", SimpleNamespace(encoding=bundle.encoding, train=None))
    monkeypatch.setattr("cantilena.workflows.cards.shipped.modes_of", lambda _: notes.options.modes)  # type: ignore[union-attr]
    monkeypatch.setattr("cantilena.workflows.cards.shipped.knows_chords", lambda _: True)
    further = tuple(source.name for source in sources_of(notes)[1:])  # corpora that do not ship are styles too
    assert set(recipe.styles.names) == set(notes.options.styles) - set(further)  # type: ignore[union-attr]
    own = replace(recipe.network_shape, styles=notes.options.styles)  # type: ignore[union-attr]
    for bundle, shape in ((grid, grid_recipe.network_shape), (notes, own)):
        assert asdict(bundle.options) == asdict(shape)  # type: ignore[call-overload]
        assert sources_of(bundle)[0].name == "tunes"
        assert is_builtin("tunes", bundle.provenance["corpus"]["sha256"])


@pytest.mark.e2e
def test_the_recipe_finds_the_durations_and_modes_of_what_ships() -> None:
    bundle, recipe = Bundle.load(find_bundle("tunes")), tunes_recipe()
    # Those of the corpora that do not ship come on top.
    assert set(recipe.material.encoding.durations) <= set(bundle.encoding.durations)  # type: ignore[union-attr]
    assert set(recipe.network_shape.modes) <= set(bundle.options.modes)  # type: ignore[union-attr]
    assert recipe.network_shape.harmony
