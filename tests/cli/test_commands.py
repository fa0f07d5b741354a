"""The commands' contract: keys, exit statuses, one line of error and one of advice, nothing overwritten."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cantilena.cli import main
from cantilena.data import read_melody
from cantilena.io import write
from cantilena.models import Bundle, Network, NetworkOptions
from cantilena.music import Melody
from cantilena.tokenizers import GridEncoding


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    shape, encoding = NetworkOptions(width=16, embedding=8), GridEncoding()
    path = tmp_path_factory.mktemp("models") / "small.safetensors"
    Bundle(shape, Network(shape, 38, seed=3).numpy_weights(), encoding.description()).save(path)
    return str(path)


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, rng = tmp_path_factory.mktemp("scores"), np.random.default_rng(1)
    for number in range(16):
        write(Melody.from_pitches([(int(pitch), 12) for pitch in rng.integers(60, 73, 40)]), folder / f"{number}.mid")
    (folder / "broken.mid").write_bytes(b"MThd\x00")
    (folder / "folder.mid").mkdir()
    return folder


@pytest.fixture(scope="module")
def corpus(scores: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("corpus") / "tunes.arrow"
    assert main(["corpus", "read", str(scores), "--out", str(path), "--jobs", "1"]) == 0
    return str(path)


TINY = ["--width", "8", "--epochs", "2", "--batch", "8", "--device", "cpu", "--precision", "float32"]


class Said:
    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def obj(self, *words: str) -> Any:
        self.capsys.readouterr()
        assert main([*words, "--json"]) == 0
        return json.loads(self.capsys.readouterr().out, parse_constant=pytest.fail)

    def refusal(self, status: int, *words: str) -> tuple[str, str]:
        """The error and the hint, the same on stderr and as JSON."""
        self.capsys.readouterr()
        assert main([*words, "--json"]) == status
        out, err = self.capsys.readouterr()
        answer = json.loads(out)
        assert set(answer) == {"error", "hint"}
        assert answer["hint"]
        assert err.splitlines()[-2:] == [f"error: {answer['error']}", f"hint: {answer['hint']}"]
        assert "Traceback" not in err
        assert "unexpected" not in answer["error"]
        return answer["error"], answer["hint"]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    return Said(capsys)


def test_corpus_read_answers_and_overwrites_nothing(said: Said, scores: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "tunes.arrow"
    words = ["corpus", "read", str(scores), "--out", str(out), "--jobs", "1"]
    answer = said.obj(*words)
    assert {"read", "skipped", "melodies", "notes", "vocabulary", "folded", "rounded", "split"} <= set(answer)
    assert set(answer["split"]) == {"train", "valid", "test"}
    assert answer["read"] == answer["melodies"] == sum(answer["split"].values()) == 16
    assert answer["notes"] == 640
    assert {row["file"] for row in answer["skipped"]} >= {"broken.mid"}
    assert all(row["reason"] for row in answer["skipped"])
    before = out.read_bytes()
    assert "exists already" in said.refusal(1, *words)[0]
    assert out.read_bytes() == before
    assert said.obj(*words, "--force") == answer
    assert out.read_bytes() == before


def test_folders_without_scores(said: Said, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.mid").write_bytes(b"RIFFxxxx")
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("la")
    for name in ("missing", "empty", "broken", "texts", "texts/a.txt"):
        said.refusal(1, "corpus", "read", str(tmp_path / name), "--out", str(tmp_path / "out.arrow"), "--jobs", "1")
        assert not (tmp_path / "out.arrow").exists()


def test_an_unset_variable_does_not_mean_the_working_folder(
    said: Said, scores: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(scores)
    before = sorted(scores.iterdir())
    for words in (
        ["corpus", "read", "", "--out", "a.arrow"],
        ["corpus", "show", ""],
        ["corpus", "read", ".", "--out", ""],
    ):
        said.refusal(2, *words)
    assert sorted(scores.iterdir()) == before


def test_corpus_list_and_show(said: Said, corpus: str, tmp_path: Path) -> None:
    listed = said.obj("corpus", "list")["corpora"]
    assert {"name", "description", "melodies", "notes", "licence"} <= set(listed[0])
    assert "tunes" in {row["name"] for row in listed}
    page = tmp_path / "page.html"
    words = ["corpus", "show", corpus, "-n", "3", "--out", str(page)]
    assert said.obj(*words)["page"] == str(page)
    assert page.read_text().count("<svg") >= 3
    said.refusal(1, *words)
    said.refusal(2, *words[:-1], str(tmp_path / "b.html"), "-n", "0")
    said.refusal(1, "corpus", "show", "no-such-corpus", "--out", str(tmp_path / "b.html"))


def test_compose_answers_and_overwrites_nothing(said: Said, bundle: str, tmp_path: Path) -> None:
    out = tmp_path / "idea"
    words = ["compose", bundle, "-n", "2", "--bars", "2", "--out", str(out), "--primer", "C4 E4"]
    answer = said.obj(*words)
    assert set(answer) == {"melodies"}
    assert len(answer["melodies"]) == 2
    for row in answer["melodies"]:
        keys = {"mid", "musicxml", "svg", "wav", "tokens", "seconds", "log_likelihood", "policy_log_likelihood"}
        assert keys <= set(row)
        assert all(Path(row[kind]).stat().st_size > 100 for kind in ("mid", "musicxml", "svg", "wav"))
        assert len(row["tokens"]) == 24  # the primer is a part of the two bars
        assert row["seconds"] == 4.0  # two bars
        assert row["log_likelihood"] < 0
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["melodies"][0]["mid"] == "001.mid"
    assert str(tmp_path) not in json.dumps(manifest)
    files = {path.name: path.read_bytes() for path in out.iterdir()}
    said.refusal(1, *words)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == files
    assert said.obj(*words, "--force") == answer
    short = said.obj(*words, "--force", "--no-primer")
    assert {row["seconds"] for row in short["melodies"]} == {3.0}
    assert said.obj(*words, "--force", "--with-primer") == answer


def test_compose_keeps_rules_and_says_where_none_could(said: Said, bundle: str, tmp_path: Path) -> None:
    words = ["compose", bundle, "-n", "2", "--bars", "1", "--out", str(tmp_path / "idea")]
    kept = said.obj(*words, "--constrain", "rl-tuner:key,rl-tuner:leap")["melodies"]
    assert all(not token.startswith(("C#", "D#", "F#", "G#", "A#")) for row in kept for token in row["tokens"])
    assert [row["rules_broken"] for row in kept] == [0, 0]
    assert json.loads((tmp_path / "idea" / "manifest.json").read_text())["constrain"] == "rl-tuner:key,rl-tuner:leap"
    assert [row["rules_broken"] for row in said.obj(*words, "--force")["melodies"]] == [None, None]
    error, hint = said.refusal(2, *words, "--force", "--constrain", "rl-tuner:kee")
    assert "kee" in error
    assert "key" in hint


def test_expression_changes_how_it_is_played_and_nothing_else(said: Said, bundle: str, tmp_path: Path) -> None:
    words = ["compose", bundle, "-n", "1", "--bars", "4", "--no-copy-check", "--out"]
    plain = said.obj(*words, str(tmp_path / "plain"))["melodies"][0]
    played = said.obj(*words, str(tmp_path / "played"), "--expressive")["melodies"][0]
    assert plain["tokens"] == played["tokens"]
    same = {
        kind: Path(plain[kind]).read_bytes() == Path(played[kind]).read_bytes() for kind in ("mid", "musicxml", "wav")
    }
    assert same == {"mid": False, "musicxml": True, "wav": False}
    assert {path.suffix for path in (tmp_path / "plain").iterdir()} == {".mid", ".musicxml", ".svg", ".wav", ".json"}


@pytest.mark.e2e
def test_bars_of_a_piece_are_rewritten(said: Said, bundle: str, tmp_path: Path) -> None:
    said.obj("compose", bundle, "-n", "1", "--bars", "6", "--key", "D minor", "--out", str(tmp_path / "idea"))
    piece = tmp_path / "idea" / "001.mid"
    out = tmp_path / "again"
    words = ["compose", bundle, "-n", "2", "--of", str(piece), "--out", str(out)]
    rows = said.obj(*words, "--bars", "3-4")["melodies"]
    before = read_melody(piece)
    for row in rows:
        assert (row["of"], row["bars"], row["key"]) == (str(piece), [3, 4], "D minor")
        assert len(row["tokens"]) <= 32
        after = read_melody(Path(row["mid"]))
        for melody in (before, after):
            assert melody.length == 6 * 96
        kept = [[note for note in one.notes if not 192 <= note.onset < 384] for one in (before, after)]
        assert kept[0] == kept[1]
    manifest = json.loads((out / "manifest.json").read_text())
    assert (manifest["of"], manifest["bars"]) == ("001.mid", [3, 4])
    for silly in (
        ["--bars", "2"],
        ["--bars", "0-2"],
        ["--bars", "4-3"],
        [],
        ["--bars", "1-2", "--primer", "C4"],
        ["--bars", "1-2", "--key", "C"],
        ["--bars", "1-2", "--no-primer"],
    ):
        said.refusal(2, *words, "--force", *silly)
    _, hint = said.refusal(2, *words, "--force", "--bars", "5-8")
    assert "6 bars" in hint
    error, hint = said.refusal(2, "compose", bundle, "--bars", "5-8", "--out", str(tmp_path / "no"))
    assert "--of" in hint
    error, _ = said.refusal(2, "compose", bundle, "--bars", "5-x", "--out", str(tmp_path / "no"))
    assert "neither a whole number nor a range" in error
    said.refusal(1, *words[:4], "--of", "missing.mid", "--bars", "1-2", "--out", str(tmp_path / "no"))


def test_an_occupied_folder_is_refused_before_anything_is_composed(
    said: Said, bundle: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cantilena.generation.composer.sample", lambda *_, **__: pytest.fail("composed in vain"))
    (tmp_path / "whole").mkdir()
    (tmp_path / "whole" / "manifest.json").write_text("{}")
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "002.svg").write_text("mine")
    (tmp_path / "file").write_text("mine")
    words = ["compose", bundle, "-n", "2", "--bars", "2", "--out"]
    assert "holds melodies already" in said.refusal(1, *words, str(tmp_path / "whole"))[0]
    assert "002.svg exists already" in said.refusal(1, *words, str(tmp_path / "half"))[0]
    assert "is a file" in said.refusal(1, *words, str(tmp_path / "file"))[0]
    assert "is a file" in said.refusal(1, *words, str(tmp_path / "file"), "--force")[0]
    monkeypatch.undo()
    (tmp_path / "half" / "002.svg").rename(tmp_path / "half" / "02.svg")
    said.obj(*words, str(tmp_path / "half"))


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (2, ["-n", "0"]),
        (2, ["-n", "1000000000"]),
        (2, ["-n", "many"]),
        (2, ["--bars", "0"]),
        (2, ["--bars", "99999"]),
        (2, ["--seconds", "nan"]),
        (2, ["--seconds", "5", "--bars", "2"]),
        (2, ["--key", "H dur"]),
        (2, ["--range", "C8-D9", "--primer", "C4"]),
        (2, ["--range", "A5-C4"]),
        (2, ["--meter", "4/0"]),
        (2, ["--tempo", "0"]),
        (2, ["--temperature", "-1"]),
        (2, ["--temperature", "0"]),
        (2, ["--top-p", "2"]),
        (2, ["--seed", "-1"]),
        (2, ["--seed", "99999999999999999999999"]),
        (2, ["--primer", "do re mi"]),
        (2, ["--primer", "missing.mid"]),
        (2, ["--no-force-at-all"]),
        (2, ["--out"]),
    ],
)
def test_silly_flags_are_wrong_usage(said: Said, bundle: str, tmp_path: Path, status: int, words: list[str]) -> None:
    said.refusal(status, "compose", bundle, "--out", str(tmp_path / "out"), *words)
    assert not (tmp_path / "out").exists()


def test_what_is_no_bundle(said: Said, tmp_path: Path) -> None:
    (tmp_path / "text.safetensors").write_text("la la")
    (tmp_path / "folder.safetensors").mkdir()
    for name in ("missing.safetensors", "text.safetensors", "folder.safetensors", "."):
        said.refusal(1, "compose", str(tmp_path / name), "--out", str(tmp_path / "out"))
        said.refusal(1, "tune", str(tmp_path / name), "--out", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_training_is_resumed_without_its_corpus(said: Said, corpus: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = ["train", "ngram", "--order", "3", "--out", str(run)]
    first = said.obj(*words, "--corpus", corpus)
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, "state": "running"}))
    error, _ = said.refusal(1, *words, "--corpus", "ryan", "--resume")
    assert f"other options: corpus is {corpus[:57]}" in error
    assert "and ryan here" in error
    assert said.obj(*words, "--resume")["test"] == first["test"]
    error, _ = said.refusal(2, "train", "ngram", "--out", str(tmp_path / "other"), "--resume")
    assert "--corpus STR must be given" in error


def test_train_and_tune_answer(said: Said, corpus: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cantilena.workflows.tune.run.COUNTED", 20)
    run = tmp_path / "run"
    words = ["train", "--corpus", corpus, "--out", str(run), *TINY]
    answer = said.obj(*words)
    assert {"bundle", "epochs", "seconds", "valid", "test"} <= set(answer)
    assert answer["test"]["nats_per_step"] > 0
    assert "finished" in said.refusal(1, *words)[0]
    said.refusal(1, *words, "--resume")
    said.refusal(1, *words, "--seed", "5")
    few = ["--updates", "2", "--melodies", "8", "--look", "0", "--device", "cpu"]
    tuned = said.obj("tune", answer["bundle"], *few, "--out", str(tmp_path / "tuned"))
    assert {"bundle", "steps", "steps_per_second", "c", "clip", "kl_per_step", "metrics"} <= set(tuned)
    assert {"value", "low", "high"} <= set(tuned["metrics"]["not_in_key"])
    made = said.obj("compose", tuned["bundle"], "-n", "1", "--bars", "1", "--out", str(tmp_path / "made"))
    assert made["melodies"][0]["log_likelihood"] != made["melodies"][0]["policy_log_likelihood"]


@pytest.mark.quick_cases(2)
@pytest.mark.parametrize("kind", ["network", "ngram", "vae"])
def test_each_kind_of_model_has_a_command_of_its_own(said: Said, corpus: str, tmp_path: Path, kind: str) -> None:
    flags = {"network": TINY, "ngram": ["--order", "3"], "vae": [*TINY, "--latent", "4", "--code-bars", "1"]}[kind]
    answers = [
        said.obj(*words, "--corpus", corpus, *flags, "--out", str(tmp_path / name))
        for name, words in (("short", ["train", kind]), ("long", ["train", "--model", kind]))
    ]
    assert answers[0]["test"] == answers[1]["test"]
    records = [json.loads((tmp_path / name / "run.json").read_text())["options"] for name in ("short", "long")]
    assert records[0] == records[1]
    models = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("short", "long")]
    assert models[0] == models[1]
    other = {"network": ["--latent", "4"], "ngram": ["--width", "8"], "vae": ["--core", "gru"]}[kind]
    assert "unknown: --" in said.refusal(2, "train", kind, "--corpus", corpus, *other, "--out", str(tmp_path / "x"))[0]


@pytest.mark.parametrize(
    "words",
    [
        ["train", "--corpus", "no-such-corpus"],
        ["tune", "tunes", "--rules", "jazz"],
        ["tune", "tunes", "--weights", "swing=2"],
        ["reproduce", "--corpus", "no-such-corpus"],
    ],
)
def test_a_run_that_could_not_begin_does_not_take_its_folder(said: Said, tmp_path: Path, words: list[str]) -> None:
    said.refusal(2 if words[0] == "tune" else 1, *words, "--out", str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_two_runs_in_one_folder(said: Said, corpus: str, tmp_path: Path) -> None:
    with (tmp_path / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for words in (["train", "--corpus", corpus, *TINY], ["tune", "tunes"], ["reproduce", "--corpus", corpus]):
            assert "another process" in said.refusal(1, *words, "--out", str(tmp_path))[0]
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_an_out_that_is_a_file(said: Said, bundle: str, corpus: str, tmp_path: Path) -> None:
    taken = tmp_path / "file"
    taken.write_text("mine")
    for words in (
        ["compose", bundle, "-n", "1", "--bars", "1"],
        ["train", "--corpus", corpus, *TINY],
        ["tune", bundle],
        ["reproduce", "--corpus", corpus],
    ):
        said.refusal(1, *words, "--out", str(taken))
        said.refusal(1, *words, "--out", str(taken), "--force")
        said.refusal(1, *words, "--out", str(taken / "below"))
    assert taken.read_text() == "mine"


def test_a_full_disk(said: Said, bundle: str, corpus: str, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk can only be mounted by root")
    try:
        error, _ = said.refusal(1, "compose", bundle, "-n", "3", "--seconds", "30", "--out", str(disk / "idea"))
        assert "No space" in error
        assert not (disk / "idea" / "manifest.json").exists()
        assert not list(disk.rglob("*.draft"))
        said.refusal(1, "train", "--corpus", corpus, *TINY, "--width", "256", "--out", str(disk / "run"))
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_small_model_composes_without_torch(bundle: str, tmp_path: Path) -> None:
    program = (
        "import sys; from cantilena.cli import main; status = main(sys.argv[1:]); "
        "print([name for name in ('torch', 'matplotlib', 'music21', 'pyarrow', 'sklearn') if name in sys.modules]); "
        "sys.exit(status)"
    )
    words = ["compose", bundle, "-n", "2", "--bars", "4", "--primer", "C4 D4 E4", "--out", str(tmp_path / "idea")]
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
