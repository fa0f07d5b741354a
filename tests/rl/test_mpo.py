"""The algorithm `mpo`: a model of notes comes nearer to people's, runs resume, and what cannot be tuned so."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cantilena.cli import main
from cantilena.data import Corpus, Entry, Manifest
from cantilena.errors import CorpusError, UsageError
from cantilena.models import Bundle, FormModel, Network, NetworkOptions, critic_features, find_bundle
from cantilena.music import ChordTrack, Form, Key, Melody, Meter
from cantilena.rl import (
    CriticOptions,
    Mpo,
    NoteOptions,
    PeoplesNotes,
    Rollout,
    TriedReward,
    TuningOptions,
    WatchOptions,
    check_tunable,
    log_probs_tried,
    melody_rewards,
    music_reward,
    roll_out,
    tried_rewards,
    tune,
    tune_module,
)
from cantilena.rules import RULE_SETS, Context
from cantilena.tokenizers import NotesEncoding
from cantilena.workflows.tune.inputs import load_tuning_inputs, peoples_notes

NOTES = NotesEncoding((1, 6, 12, 24, 36, 48), 60, 79)
FORMS = FormModel.learned_from([(Meter(), Form.parse("A1B2"))], [(Meter(), 0)])
SCALE = (60, 62, 64, 65, 67, 69, 71, 72)
CRITIC = CriticOptions(critic_start=4, critic_lessons=2, critic_replay=64)
OPTIONS = TuningOptions(
    algorithm="mpo",
    updates=4,
    melodies=8,
    steps=32,
    learning_rate=0.01,
    critic=CRITIC,
    watch=WatchOptions(look=0),
    notes=NoteOptions(tried=3),
)


def eighths(rng: np.random.Generator, *, pickup: int = 0, meter: Meter | None = None, chords: bool = False) -> Melody:
    """A bar or two of eighths of C major, which a network that learned nothing does not play, and a rest."""
    pitches = [(SCALE[rng.integers(8)], 12) for _ in range(8 + pickup // 12)]
    melody = Melody.from_pitches([*pitches, (60, 12), (None, 12)], key=Key(), pickup=pickup, meter=meter or Meter())
    return replace(melody, chords=ChordTrack.parse("C F | G", melody.meter, pickup)) if chords else melody


def saved(path: Path, *, chords: bool = False) -> str:
    """A file of melodies in 4/4 and 3/4, some with a pickup, and if so with chords over most."""
    rng = np.random.default_rng(1)
    entries = [
        Entry(
            eighths(
                rng, pickup=12 * (number % 2), meter=Meter(4 - number % 3 // 2, 4), chords=chords and number % 5 > 0
            ),
            piece=str(number),
            split="train" if number < 70 else "test",
        )
        for number in range(90)
    ]
    Corpus.from_entries(entries, Manifest("eighths")).save(path)
    return str(path)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> str:
    return saved(tmp_path_factory.mktemp("corpus") / "eighths.arrow")


def bundle(encoding: NotesEncoding = NOTES, *, plan: bool = True, harmony: bool = False) -> Bundle:
    options = NetworkOptions(
        width=16, embedding=16, head_width=16, durations=encoding.durations, pitches=encoding.high - encoding.low + 1,
        plan=plan, harmony=harmony,
    )  # fmt: skip
    weights = Network(options, len(encoding.vocabulary), seed=2).numpy_weights()
    told = {"plain_keys": True, **({"forms": FORMS.to_json()} if plan else {})}
    return Bundle(options, weights, encoding.description(), provenance=told)


@pytest.fixture(scope="module")
def people(corpus: str) -> PeoplesNotes:
    return peoples_notes(bundle(), Corpus.load(Path(corpus)))


def share_of_eighths(tuned: Bundle, corpus: str) -> float:
    melodies = [
        NOTES.decode(tokens) for tokens in peoples_notes(tuned, Corpus.load(Path(corpus))).compose(np.arange(60), 5)
    ]
    notes = [note for melody in melodies for note in melody.sounding]
    return float(np.mean([note.duration == 12 and note.top in SCALE for note in notes]))


@pytest.mark.parametrize("critic", [True, False], ids=["critic and matching", "matching"])
def test_a_model_comes_nearer_to_people(critic: bool, people: PeoplesNotes, corpus: str) -> None:
    hearing = replace(CRITIC, critic=critic, critic_start=20)
    options = replace(OPTIONS, updates=12, melodies=16, learning_rate=0.02, critic=hearing)
    untuned = bundle()
    tuned = tune(untuned, options, people=people)
    before, after = (share_of_eighths(one, corpus) for one in (untuned, tuned.bundle))
    assert after > before + 0.1
    terms = tuned.history.terms
    assert list(terms) == (["critic", "matching"] if critic else ["matching"])
    assert terms["matching"][0] == 0.0
    assert np.isfinite([*terms.values(), tuned.history.log_p, tuned.history.entropy]).all()
    assert tuned.history.kl[0] == pytest.approx(0.0, abs=1e-6)
    assert 0.0 < tuned.history.kl[-1] < 5.0
    assert len(tuned.history.accuracy) == (12 if critic else 0)
    assert tuned.bundle.prior_weights is not None
    assert "meter" not in tuned.bundle.provenance["tuning"]


def test_the_mean_of_the_weights_is_kept(people: PeoplesNotes, monkeypatch: pytest.MonkeyPatch) -> None:
    average, seen = Mpo._average, list[torch.Tensor]()

    def noted(self: Mpo, *, restart: bool) -> None:
        seen.append(self.network.head.weight.detach().clone())
        average(self, restart=restart)

    monkeypatch.setattr(Mpo, "_average", noted)
    kept = tune(bundle(), replace(OPTIONS, updates=6), people=people).bundle.network().head.weight
    torch.testing.assert_close(kept.detach(), torch.stack(seen[2:]).mean(0))
    assert not torch.equal(kept, seen[-1])


def test_steps_are_those_of_the_melodies_that_were_composed(people: PeoplesNotes) -> None:
    tuned = tune(bundle(), replace(OPTIONS, updates=2), people=people)
    assert tuned.steps == tuned.history.environment_steps[-1]
    assert 2 * 8 * 20 <= tuned.steps <= 2 * 8 * 22  # bars of eight eighths, a note and a rest, some with a pickup


def test_parts_of_long_melodies_are_learned_from_too() -> None:
    entries = [
        Entry(Melody.from_pitches([(60, 48)] * 80, key=Key()), piece=str(row), split="train") for row in range(60)
    ]
    people = peoples_notes(bundle(), Corpus.from_entries(entries, Manifest("long")))
    assert people.bars.length.tolist() == [16 * 96, 24 * 96] * 60
    assert [len(rows) for rows in people.rows] == [32, 48] * 60
    told, _ = people.tell(np.arange(2), 1)
    assert told.length.tolist() == [16 * 96, 24 * 96]


def test_a_model_without_forms_is_tuned_too(corpus: str) -> None:
    model = bundle(plan=False)
    tuned = tune(model, replace(OPTIONS, updates=1), people=peoples_notes(model, Corpus.load(Path(corpus))))
    assert any((tuned.bundle.weights[name] != weight).any() for name, weight in model.weights.items())


@pytest.mark.parametrize(
    "changes", [{"rules": "paper"}, {"watch": WatchOptions(look=2, watched=16, stop=False)}], ids=["rules", "checks"]
)
def test_an_interrupted_run_resumes(
    changes: dict[str, Any], people: PeoplesNotes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cantilena.rl.tuning._CHECKPOINT_EVERY", 0.0)
    options = replace(OPTIONS, target_kl=0.001, **changes)
    whole = tune(bundle(), options, people=people)
    update, calls = Mpo.update, []

    def stop_at_the_fourth(self: Mpo, progress: float) -> object:
        calls.append(progress)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return update(self, progress)

    monkeypatch.setattr(Mpo, "update", stop_at_the_fourth)
    with pytest.raises(KeyboardInterrupt):
        tune(bundle(), options, people=people, folder=tmp_path)
    monkeypatch.setattr(Mpo, "update", update)
    resumed = tune(bundle(), options, people=people, folder=tmp_path, resume=True)
    for name, weight in whole.bundle.weights.items():
        np.testing.assert_array_equal(resumed.bundle.weights[name], weight)
    assert resumed.history == whole.history
    assert resumed.checks == whole.checks
    assert len(set(whole.history.c)) > 1


def test_the_latest_weights_that_pass_are_kept(people: PeoplesNotes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cantilena.rl.watch.DiversityMonitor._diversity_alarms", lambda *_: [])
    monkeypatch.setattr("cantilena.rl.watch._share_alarms", lambda *_: [])
    tuned = tune(bundle(), replace(OPTIONS, watch=WatchOptions(look=2, watched=16)), people=people)
    assert [check.passed for check in tuned.checks] == [True, True]
    assert tuned.kept == 4


def test_what_mpo_cannot_tune_is_refused() -> None:
    with pytest.raises(UsageError, match="models of single notes, and this model is of steps") as grid:
        check_tunable(Bundle.load(find_bundle("tunes+rl-tuner")), OPTIONS)
    assert "tunes" in grid.value.hint
    with pytest.raises(UsageError, match="this model is of chords"):
        check_tunable(Bundle.load(find_bundle("piano")), OPTIONS)
    with pytest.raises(UsageError, match="CPU only"):
        check_tunable(bundle(), replace(OPTIONS, device="cuda"))
    with pytest.raises(UsageError, match="human melodies") as alone:
        tune_module(bundle().network(), NOTES, OPTIONS)
    assert "--against" in alone.value.hint
    with pytest.raises(UsageError, match="several keys"):
        replace(OPTIONS, also_keys=("A minor",))
    with pytest.raises(UsageError, match="neither rules nor a critic nor matching"):
        replace(OPTIONS, critic=CriticOptions(critic=False), notes=NoteOptions(matching=0.0))


def test_too_few_melodies_are_refused(tmp_path: Path) -> None:
    entries = [Entry(eighths(np.random.default_rng(one)), piece=str(one), split="train") for one in range(9)]
    path = tmp_path / "few.arrow"
    Corpus.from_entries(entries, Manifest("few")).save(path)
    with pytest.raises(CorpusError, match="9 melodies"):
        peoples_notes(bundle(), Corpus.load(path))


def test_melodies_are_read_without_the_rests_at_their_ends(people: PeoplesNotes) -> None:
    assert people.describe([], np.zeros(0, dtype=np.int64)) == []
    silent = NOTES.encode(Melody.from_pitches([(None, 12), (60, 12), (None, 12), (62, 12), (None, 48), (None, 12)]))
    (read,) = people.describe([silent], np.array([0]))
    assert len(read.rows) == 4


def test_the_command_tunes_a_shipped_model(
    corpus: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cantilena.workflows.tune.run.COUNTED", 30)
    words = ["tune", "tunes", "--algorithm", "mpo", "--melodies", "8", "--updates", "2", "--against", corpus]
    words += ["--out", str(tmp_path / "run"), "--look", "2", "--watched", "32", "--steps", "16", "--no-stop"]
    assert main([*words, "--critic-start", "4", "--critic-lessons", "2", "--critic-replay", "64", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert set(answer["systems"]) == {"human", "untuned", "tuned"}
    assert len(answer["critic"]["reward"]) == len(answer["critic"]["accuracy"]) == 2
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [list(row["rewards"]) for row in rows] == [["critic", "matching"]] * 2
    assert (tmp_path / "run" / "rewards.png").stat().st_size > 1000
    assert Bundle.load(tmp_path / "run" / "model.safetensors").prior_weights is not None


def test_inputs_are_read_as_the_algorithm_needs_them(corpus: str) -> None:
    inputs = load_tuning_inputs(bundle(), replace(OPTIONS, steps=16), corpus)
    assert inputs.critic_data is None
    assert inputs.people is not None
    assert len(inputs.people.rows) == 70
    with pytest.raises(UsageError, match="mpo needs human melodies"):
        load_tuning_inputs(bundle(), OPTIONS)


def rolled_out(people: PeoplesNotes, rows: np.ndarray, model: Bundle | None = None) -> Rollout:
    told, guides = people.tell(rows, 3)
    reward, features = TriedReward(np.zeros_like(rows), None, None), critic_features(NOTES)
    network = (model or bundle()).network()
    return roll_out(network, NOTES, told, guides, reward, np.random.default_rng(4), features=features)


@pytest.mark.parametrize("harmony", [False, True], ids=["alone", "over chords"])
def test_notes_that_are_tried_earn_what_they_earn_in_the_finished_melody(harmony: bool, tmp_path: Path) -> None:
    model = bundle(harmony=harmony)
    people = peoples_notes(model, Corpus.load(Path(saved(tmp_path / "corpus.arrow", chords=harmony))))
    rows = np.arange(6)  # in 4/4 and 3/4, with and without a pickup, one without chords
    rollout, contexts = rolled_out(people, rows, model), [people.contexts[row] for row in rows]
    chords = [people.chords[row] for row in rows] if harmony else []
    options = replace(OPTIONS, rules="cantilena+rl-tuner:tonic+rl-tuner:intervals", clip=0.5)
    reward = music_reward(model, options, over_chords=harmony)
    assert people.has_chords == harmony == ("chord_tones" in reward.rules.names)
    tried = tried_rewards(reward, rollout, contexts, chords)
    whole = melody_rewards(reward, rollout.tokens, rollout.bars, contexts, chords)
    assert not harmony or (whole["chord_tones"] != 0).any()
    for row, context in enumerate(contexts):
        pickup, bar = rollout.bars.pickup[row], rollout.bars.steps_per_bar[row]
        silence = NOTES.encode(Melody((), length=int(-pickup % bar)))
        of_context = replace(reward, context=context)
        tokens = np.append(silence, rollout.tokens[row])[None]
        terms = of_context.terms(tokens, [chords[row].moved(int(-pickup % bar))] if harmony else ())
        assert {name: earned[row] for name, earned in whole.items()} == pytest.approx(
            {name: term.sum() for name, term in terms.items()}
        )
        steps = of_context.scaled(terms)[0]
        ends = NOTES.decode(silence).length + np.cumsum(
            [NOTES.durations[one - 1] for one in rollout.first[row, rollout.is_played[row], 0]]
        )
        for note, end in enumerate(ends):
            differs = len(set(zip(rollout.first[row, note], rollout.second[row, note], strict=True))) > 1
            earned = steps[: (end + 3) // 6 if note < len(ends) - 1 else None].sum() if differs else 0.0
            assert tried[row, note, 0] == pytest.approx(earned, abs=1e-5)
    assert (tried[..., 1:] != tried[..., :1]).any()


def test_the_same_note_earns_the_same(people: PeoplesNotes) -> None:
    rows = np.arange(4)
    rollout = rolled_out(people, rows)
    tried = tried_rewards(music_reward(bundle(), replace(OPTIONS, rules="paper")), rollout, [Context()] * 4)
    same = (rollout.first[..., 0] == rollout.first[..., 1]) & (rollout.second[..., 0] == rollout.second[..., 1])
    np.testing.assert_array_equal(tried[..., 0][same], tried[..., 1][same])


def test_a_model_learns_from_rules(people: PeoplesNotes) -> None:
    alone = {"critic": CriticOptions(critic=False), "notes": NoteOptions(matching=0.0)}
    rules = {"rules": "paper", "c": 0.5, "updates": 10, "melodies": 24, "learning_rate": 0.02}
    tuned = tune(bundle(), replace(OPTIONS, **alone, **rules), people=people)
    assert list(tuned.history.terms) == list(RULE_SETS["paper"].names)
    totals = np.sum(list(tuned.history.terms.values()), axis=0)
    assert totals[-3:].mean() > totals[:3].mean() + 1.0


def test_a_model_that_is_told_chords_tries_notes_over_them(tmp_path: Path) -> None:
    model = bundle(harmony=True)
    people = peoples_notes(model, Corpus.load(Path(saved(tmp_path / "corpus.arrow", chords=True))))
    network, rollout = model.network(), rolled_out(people, np.arange(4), model)
    with torch.no_grad():
        tried = log_probs_tried(network, rollout)[:, :, 0].numpy()
        scores = network.scores(rollout.tokens, rollout.bars)
        deaf = log_probs_tried(network, replace(rollout, bars=replace(rollout.bars, chords=None)))[:, :, 0].numpy()
    masks = np.stack([rollout.first_allowed, rollout.second_allowed[:, :, 0]], axis=2)
    allowed = np.unpackbits(masks, axis=-1, count=scores.shape[2]).astype(np.bool_).reshape(scores.shape)
    known = scores.masked_fill(~torch.from_numpy(allowed), -torch.inf).log_softmax(-1)
    chosen = known.gather(-1, torch.from_numpy(rollout.tokens)[..., None]).squeeze(-1).numpy()
    played = rollout.is_played
    np.testing.assert_allclose(tried[played], (chosen[:, ::2] + chosen[:, 1::2])[played], atol=1e-4)
    assert (np.abs(tried - deaf)[1:][played[1:]] > 1e-4).any()


def test_a_model_learns_from_chords(tmp_path: Path) -> None:
    model = bundle(harmony=True)
    people = peoples_notes(model, Corpus.load(Path(saved(tmp_path / "corpus.arrow", chords=True))))
    alone = {"critic": CriticOptions(critic=False), "notes": NoteOptions(matching=0.0)}
    rules = {"rules": "cantilena:chord_tones", "c": 0.2, "updates": 10, "melodies": 24, "learning_rate": 0.02}
    tuned = tune(model, replace(OPTIONS, **alone, **rules), people=people)
    earned = tuned.history.terms["chord_tones"]
    assert np.mean(earned[-3:]) > np.mean(earned[:3])
    inputs = load_tuning_inputs(model, replace(OPTIONS, steps=16, rules="cantilena"), str(tmp_path / "corpus.arrow"))
    assert "chord_tones" in inputs.reward.rules.names
