"""`cantilena tune` as people mistype, interrupt and kill it: one sentence, nothing lost, the identical model."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cantilena.cli import main
from cantilena.models import Bundle, Network, NetworkOptions
from cantilena.tokenizers import GridEncoding

TINY = ["--updates", "12", "--melodies", "8", "--steps", "16", "--device", "cpu", "--look", "4", "--watched", "16"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    network = Network(NetworkOptions(width=8, embedding=8), 38, seed=3)
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    Bundle(network.options, network.numpy_weights(), GridEncoding().description()).save(path)
    return str(path)


@pytest.fixture(autouse=True)
def _count_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cantilena.workflows.tune.run.COUNTED", 20)


def tuned(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    status = main(["tune", *words, "--json"])
    answer: dict[str, Any] = json.loads(capsys.readouterr().out, parse_constant=refuse)
    return status, answer


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--seed", "-1"], "seed is out of range: -1"),
        (["--rules", "jazz"], "no rule set 'jazz'"),
        (["--weights", "self=3"], "no rule 'self'"),
        (["--weights", "tonic=1e308"], "weight 'tonic=1e308'"),
        (["--clip", "inf"], "clip is out of range: inf"),
        (["--max-norm", "inf"], "max-norm is out of range: inf"),
        (["--against", "nowhere"], "no corpus 'nowhere'"),
        (["--device", "cuda:99"], "no cuda:99"),
        (["--key", "H"], "'H'"),
        (["--meter", "7/13"], "7/13"),
        (["--reference-mode"], "no rloo"),
    ],
)
def test_a_mistake_costs_no_earlier_run(
    words: list[str], said: str, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("model.safetensors", "results.json", "run.json"):
        (tmp_path / name).write_text("earlier")
    status, answer = tuned(capsys, model, *TINY, *words, "--force", "--out", str(tmp_path))
    assert status in (1, 2)
    assert said in answer["error"]
    assert answer["hint"]
    assert "bug in Cantilena" not in answer["hint"]
    assert {path.read_text() for path in tmp_path.iterdir()} == {"earlier"}


@pytest.mark.parametrize("name", ["", "  "])
@pytest.mark.parametrize("more", [[], ["--frontier"]])
def test_an_empty_name_is_not_the_working_folder(
    name: str, more: list[str], model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(Path(model).parent)
    status, answer = tuned(capsys, name, *TINY, *more, "--out", str(tmp_path / "run"))
    assert status == 2
    assert "no name" in answer["error"]
    assert not (tmp_path / "run").exists()


@pytest.mark.e2e
def test_a_folder_of_ones_own_keeps_its_pictures(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "holiday.png").write_bytes(b"mine")
    (tmp_path / "looks.png").write_bytes(b"of an earlier run")
    words = [model, *TINY, "--look", "0", "--updates", "2", "--out", str(tmp_path)]
    assert tuned(capsys, *words)[0] == 1
    status, answer = tuned(capsys, *words, "--force")
    assert status == 0
    assert (tmp_path / "holiday.png").read_bytes() == b"mine"
    assert not (tmp_path / "looks.png").exists()
    assert answer["inside_the_gate"] is None  # nobody looked
    assert answer["clip"] == 10.0
    published = [*words, "--force", "--algorithm", "q", "--reference-mode"]
    assert tuned(capsys, *published)[1]["clip"] is None  # nothing was clipped


def test_an_unfinished_run_goes_on_with_the_same_rules_alone(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, weights = tmp_path / "mine.py", tmp_path / "mine.toml"
    rule = "def high(line, context, *, reward=1.0):\n    return reward * (line.pitch > {})\n"
    louder = 'rules = ["mine.py:high"]\n[weights]\nhigh = {}\n'
    mine.write_text(rule.format(70))
    weights.write_text(louder.format(1))
    words = [model, *TINY, "--rules", str(weights), "--out", str(tmp_path / "run")]

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("cantilena.workflows.tune.run.measure", stop)
        assert main(["tune", *words]) == 130
    for changed, text in ((mine, rule.format(72)), (weights, louder.format(2))):
        before = changed.read_text()
        changed.write_text(text)
        status, answer = tuned(capsys, *words, "--resume")
        assert (status, "other options" in answer["error"]) == (1, True)
        changed.write_text(before)
    assert tuned(capsys, *words, "--resume")[0] == 0


def learned_by_q(model: str, out: Path, *more: str) -> list[str]:
    words = ["tune", model, *TINY, "--target-kl", "0.001", "--algorithm", "q", "--priority", "0.6", "--out", str(out)]
    return [*words, *more]


def started(line: list[str]) -> subprocess.Popen[str]:
    # A checkpoint after every update, and updates slow enough to be interrupted.
    program = (
        "import sys, time\n"
        "import cantilena.rl.tuning as loop\n"
        "import cantilena.workflows.tune.run as run\n"
        "run.COUNTED = 20\n"
        "loop._CHECKPOINT_EVERY = 0.0\n"
        "save = loop.TuningCheckpoint.save\n"
        "def slowly(*args):\n"
        "    save(*args)\n"
        "    time.sleep(0.2)\n"
        "loop.TuningCheckpoint.save = slowly\n"
        "from cantilena.cli import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", program, *line], **pipes)


@pytest.mark.e2e
def test_an_interrupted_and_killed_tuning_ends_with_the_same_model(model: str, tmp_path: Path) -> None:
    halted, more = tmp_path / "halted", []
    for sign, status in ((signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)):
        process = started(learned_by_q(model, halted, *more))
        checkpoint, before = halted / "checkpoint.safetensors", time.time_ns()
        for _ in range(1200):
            if checkpoint.exists() and checkpoint.stat().st_mtime_ns > before:
                break
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.05)
        process.send_signal(sign)
        _, err = process.communicate(timeout=60)
        assert process.returncode == status, err
        if sign is signal.SIGINT:
            assert err.splitlines()[-2] == "error: interrupted"
            assert "--resume" in err.splitlines()[-1]
        assert not (halted / "model.safetensors").exists()
        more = ["--resume"]
    (halted / ".checkpoint.safetensors.0a1b2c3d.draft").write_bytes(b"killed while it was written")
    assert main(learned_by_q(model, halted, "--resume")) == 0
    assert main(learned_by_q(model, tmp_path / "whole")) == 0
    for name in ("model.safetensors", "metrics.jsonl", "results.json"):
        assert (halted / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert not list(halted.glob(".*.draft"))
