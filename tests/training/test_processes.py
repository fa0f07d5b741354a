"""Several processes that train together do what one with all the pieces of a batch does, and end together."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from cantilena.corpus import load_builtin
from cantilena.encoding import GridEncoding
from cantilena.errors import UsageError
from cantilena.experiment.material import encode_pieces
from cantilena.model import Network, NetworkOptions, Sequences, choose_device, computes_in_bfloat16, threads_worth_it
from cantilena.model.recurrence import WIDE
from cantilena.training import Processes, TrainingOptions, course, placed, speaks, train, transpositions
from cantilena.training.lessons import EveryStep
from cantilena.training.paper_input import LastStep

GRID = GridEncoding()
PLAIN = NetworkOptions(width=16, embedding=8, dropout=0.0)
OPTIONS = TrainingOptions(
    epochs=2, budget=0, batch=6, steps=32, warmup=2, learning_rate=6e-3, precision="float32", device="cpu"
)
MELODIES = load_builtin("tunes").melodies("train")[:500:8]
TUNES = Sequences.of([GRID.encode(melody) for melody in MELODIES])
PIECES, VALID = Sequences.of(TUNES.tokens[:61]), Sequences.of(TUNES.tokens[61:])  # the last batch holds one piece
KNOWN = encode_pieces(GRID, MELODIES[:61], [1 + number % 2 for number in range(61)]).sequences
TOLD = replace(PLAIN, conditions=("key", "mode", "meter", "style"), styles=("odd", "even"))
TRAININGS = {
    "plain": (PLAIN, replace(OPTIONS, epochs=1)),
    "memory": (
        replace(PLAIN, echoes=1, copy_head=True, attention=4),
        replace(OPTIONS, averaging=0.9, transpose=3, schedule="plateau", epochs=1),
    ),
    "told": (TOLD, replace(OPTIONS, transpose=6, forget=0.3, epochs=1)),
    "transformer": (
        replace(TOLD, core="transformer", heads=2),
        replace(OPTIONS, transpose=6, forget=0.3, epochs=1, learning_rate=1e-3),
    ),
    "paper": (NetworkOptions(input="paper", window=4, width=8, dropout=0.0), replace(OPTIONS, batch=400)),
    "wide": (replace(PLAIN, width=WIDE), replace(OPTIONS, precision="bfloat16", batch=30, epochs=1)),
    "dropout": (replace(PLAIN, layers=2, dropout=0.3), replace(OPTIONS, epochs=1)),
}


if not computes_in_bfloat16(torch.device("cpu"), WIDE):
    del TRAININGS["wide"]


def recorded(shape: NetworkOptions, options: TrainingOptions, **named):
    """A training, and the loss of each of its updates."""
    pieces = KNOWN if shape.conditions else PIECES if shape.width < WIDE else Sequences.of(PIECES.tokens[:20])
    losses, update = [], course.Course.update

    def noted(self, loss, steps, share):
        before = self.standing.nats
        update(self, loss, steps, share)
        losses.append((self.standing.nats - before) / steps)

    course.Course.update = noted
    try:
        table = transpositions(GRID, options.transpose) if options.transpose else None
        asked = {"vocabulary_size": 38, "network": shape, "training": options, "transpositions": table, "quiet": True}
        return train(pieces, VALID, **asked, **named), losses
    finally:
        course.Course.update = update


TOGETHER = """
import json, sys
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from safetensors.torch import save_file
from test_processes import TRAININGS, recorded
from cantilena.training import together
with together() as processes:
    for name, (shape, options) in [*TRAININGS.items(), ("again", TRAININGS["dropout"])]:
        made, losses = recorded(shape, replace(options, batch=options.batch // 2), processes=processes)
        path = Path(sys.argv[2]) / f"{name}.{processes.rank}"
        save_file(made.network.state_dict(), path.with_suffix(f"{path.suffix}.safetensors"))
        path.with_suffix(f"{path.suffix}.json").write_text(json.dumps({"losses": losses, "history": made.history}))
    asked = []
    made, _ = recorded(*TRAININGS["paper"], processes=processes, after_epoch=lambda *told: asked.append(told) or True)
    Path(sys.argv[2], f"ended.{processes.rank}.json").write_text(json.dumps([made.epochs, made.valid, asked]))
threads = [file.read_text() for file in Path("/proc/self/task").glob("*/comm")]  # none elsewhere than on Linux
assert not any("gloo" in name for name in threads), threads  # one that is left may abort the process as it ends
"""

ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if name not in {"WORLD_SIZE", "RANK"}},
    "OMP_NUM_THREADS": "1",
}


def torchrun(folder: Path, program: str, *words: str) -> subprocess.Popen[str]:
    script = folder / "program.py"
    script.write_text(program)
    return subprocess.Popen(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )


def test_two_processes_follow_one_with_the_double_batch(tmp_path: Path) -> None:
    process = torchrun(tmp_path, TOGETHER, str(Path(__file__).parent), str(tmp_path))
    alone = {name: recorded(*asked) for name, asked in TRAININGS.items()}
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err

    def weights(name: str, rank: int) -> bytes:
        return (tmp_path / f"{name}.{rank}.safetensors").read_bytes()

    for name, (one, losses) in alone.items():
        zero, other = (json.loads((tmp_path / f"{name}.{rank}.json").read_text()) for rank in (0, 1))
        assert zero == other
        assert weights(name, 0) == weights(name, 1)
        assert len(zero["losses"]) == len(losses)
        if name == "dropout":
            continue
        if name == "wide":  # rounded otherwise, and yet all gradients are added up: the bytes above are the same
            np.testing.assert_allclose(zero["losses"], losses, atol=0.02, rtol=0)
            continue
        assert len(losses) >= 50
        np.testing.assert_allclose(zero["losses"][:50], losses[:50], atol=1e-4, rtol=0)
        np.testing.assert_allclose([e["valid"] for e in zero["history"]], [e["valid"] for e in one.history], atol=1e-4)
        both = load_file(tmp_path / f"{name}.0.safetensors")
        for part, weight in one.network.state_dict().items():
            torch.testing.assert_close(both[part], weight, atol=1e-4, rtol=0)
    # Only process 0 is asked whether that was the last epoch, and all end there.
    first, second = (json.loads((tmp_path / f"ended.{rank}.json").read_text()) for rank in (0, 1))
    assert first[:2] == second[:2]
    assert (first[0], first[2], second[2]) == (1, [[1, first[1]]], [])
    # Dropout leaves out other cells in each process, the same ones whenever the same two train again.
    assert weights("again", 0) == weights("dropout", 0)
    both = json.loads((tmp_path / "dropout.0.json").read_text())["losses"]
    assert both[0] != pytest.approx(alone["dropout"][1][0], abs=1e-4)
    assert both[-1] == pytest.approx(alone["dropout"][1][-1], abs=0.5)


@pytest.mark.parametrize("world", [2, 3, 8])
def test_shares_add_up_to_the_batch_part_by_part(world: int) -> None:
    pieces = Sequences.of([np.arange(length) % 38 for length in (90, 40, 33, 32, 17, 1, 1)])
    network, batch = Network(PLAIN, 38, seed=1), np.arange(7)

    def parts(rank: int, world: int):
        lesson = EveryStep(16, pieces, 7, 1, processes=Processes(rank=rank, world=world))
        return list(lesson.losses(network, batch, 0, lambda: torch.autocast("cpu", enabled=False)))

    def gradient(losses) -> torch.Tensor:
        network.zero_grad()
        for loss, _ in losses:
            if loss.requires_grad:
                loss.backward()
        return torch.cat([weight.grad.flatten() for weight in network.parameters()])

    whole, shares = parts(0, 1), [parts(rank, world) for rank in range(world)]
    assert [count for _, count in whole] == [16 * 5 + 2, 16 * 4 + 1, 16 + 8 + 1, 16, 16, 10]
    for share in shares:
        assert [count for _, count in share] == [count for _, count in whole]
    for number, (loss, _) in enumerate(whole):
        assert sum(float(share[number][0].detach()) for share in shares) == pytest.approx(
            float(loss.detach()), abs=1e-6
        )
    last = [share[-1][0].requires_grad for share in shares]
    assert last == [True] + [False] * (world - 1)  # only the longest piece goes on to the end
    expected = gradient(parts(0, 1))
    torch.testing.assert_close(
        sum(gradient(parts(rank, world)) for rank in range(min(world, 7))), expected, atol=1e-6, rtol=1e-5
    )


def test_windows_are_shared_too_and_one_without_any_still_answers() -> None:
    pieces, network = Sequences.of([[1, 2, 3]]), Network(TRAININGS["paper"][0], 38)
    found = []
    for rank in range(4):
        lesson = LastStep(pieces, 4, 8, 1, 38, Processes(rank=rank, world=4))
        found += lesson.losses(network, lesson.epoch(0)[0], 0, lambda: torch.autocast("cpu", enabled=False))
    assert [count for _, count in found] == [3] * 4
    assert [loss.requires_grad for loss, _ in found] == [True, True, True, False]


START = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "MASTER_ADDR": "localhost", "MASTER_PORT": "29500"}


def test_who_is_who() -> None:
    assert not placed({}).several
    assert not placed({"WORLD_SIZE": "1", "RANK": "0"}).several
    assert not placed({"RANK": "7"}).several  # so general a name may mean something else
    place = placed({**START, "LOCAL_WORLD_SIZE": "2"})
    assert (place.rank, place.world, place.local_rank, place.local_world) == (1, 2, 1, 2)
    assert not speaks(START)
    assert speaks({**START, "RANK": "0"})


@pytest.mark.parametrize(
    ("name", "value"),
    [("WORLD_SIZE", "two"), ("WORLD_SIZE", "-2"), ("WORLD_SIZE", "0"), ("WORLD_SIZE", "9" * 5000), ("WORLD_SIZE", "²"),
     ("RANK", ""), ("RANK", "2"), ("RANK", "1.0"), ("LOCAL_RANK", ""), ("LOCAL_RANK", "2"), ("LOCAL_WORLD_SIZE", "3"),
     ("LOCAL_WORLD_SIZE", "1"), ("MASTER_ADDR", ""), ("MASTER_ADDR", " "), ("MASTER_PORT", ""),
     ("MASTER_PORT", "70000"), ("MASTER_PORT", "http")],
)  # fmt: skip
def test_an_environment_without_sense_is_refused_aloud(name: str, value: str) -> None:
    wrong = {**START, name: value}
    with pytest.raises(UsageError, match=r"WORLD_SIZE|RANK|MASTER") as caught:
        placed(wrong)
    assert "torchrun" in caught.value.hint
    assert "\n" not in caught.value.text
    assert speaks(wrong)


def test_each_process_takes_its_own_card_and_its_share_of_the_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [str(choose_device(name, rank)) for name in ("auto", "cuda") for rank in (0, 1)] == ["cuda:0", "cuda:1"] * 2
    assert str(choose_device("cpu", 1)) == "cpu"
    with pytest.raises(UsageError, match="3 processes or more on a machine with 2 CUDA cards"):
        choose_device("auto", 2)
    for alone in ("mps", "cuda:1"):
        with pytest.raises(UsageError, match="share"):
            choose_device(alone, 1)
    monkeypatch.setattr("cantilena.model.device.processors", lambda: 8)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 6)
    chosen: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", chosen.append)
    for processes in (1, 2, 16):
        with threads_worth_it(1024, 64, processes):
            pass
    assert chosen == [6, 6, 4, 6, 1, 6]


# From here on the command itself, as a user starts it.

COMMAND = """
import dataclasses, os, sys, time
from pathlib import Path
import cantilena.training.course as course, cantilena.training.loop as loop, cantilena.training.processes as processes
import cantilena.experiment.train_run as run
from datetime import timedelta
rank = os.environ["RANK"]
Path(os.environ["FOLDER"], f"pid.{rank}").write_text(str(os.getpid()))
processes._PATIENCE = timedelta(seconds=float(os.environ.get("PATIENCE", "300")))
shape = run.shape_and_training
def often(request):
    network, training = shape(request)
    return network, dataclasses.replace(training, checkpoint_seconds=0.0)
run.shape_and_training = often
save = loop.save_checkpoint
def slowly(*args, **named):
    save(*args, **named)
    time.sleep(float(os.environ.get("SLOW", "0")))
loop.save_checkpoint = slowly
update = course.Course.update
def failing(self, *args):
    if os.environ.get("FAIL") == rank and self.standing.updates == 3:
        raise OSError(12, "the card is full")
    update(self, *args)
course.Course.update = failing
measure = run.scores_of
def measured(*args):
    Path(os.environ["FOLDER"], "measuring").touch()
    time.sleep(float(os.environ.get("MEASURE", "0")))
    return measure(*args)
run.scores_of = measured
from cantilena.cli import main
sys.exit(main(sys.argv[1:]))
"""

WORDS = (
    "train --corpus chorales --budget 50000 --width 16 --dropout 0 --precision float32 --device cpu --json --out"
).split()


def command(folder: Path, *words: str, **variables: str) -> subprocess.Popen[str]:
    for variable, value in {**variables, "FOLDER": str(folder)}.items():
        ENVIRONMENT[variable] = value
    try:
        return torchrun(folder, COMMAND, *words)
    finally:
        for variable in (*variables, "FOLDER"):
            del ENVIRONMENT[variable]


def until_a_checkpoint(process: subprocess.Popen[str], run: Path) -> None:
    checkpoint, before = run / "checkpoint.safetensors", time.time_ns()
    for _ in range(2400):
        if checkpoint.exists() and checkpoint.stat().st_mtime_ns > before:
            return
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)
    raise AssertionError("no checkpoint")


def said(err: str) -> list[str]:
    return [line for line in err.splitlines() if line.startswith(("error:", "hint:", "A network"))]


@pytest.mark.slow
def test_the_command_speaks_once_and_gives_what_one_process_gives(tmp_path: Path) -> None:
    from cantilena.cli import main

    process = command(tmp_path, *WORDS, str(tmp_path / "two"), "--batch", "3")
    assert main([*WORDS, str(tmp_path / "one"), "--batch", "6"]) == 0
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    answer = json.loads(out)  # one object and nothing else
    assert len(said(err)) == 1
    assert "2 processes" in said(err)[0]
    one, two = (json.loads((tmp_path / name / "run.json").read_text()) for name in ("one", "two"))
    assert two["options"]["processes"] == 2
    for part in ("valid", "test"):
        assert answer[part] == pytest.approx(one[part], abs=1e-4)
    weights = [load_file(tmp_path / name / "model.safetensors") for name in ("one", "two")]
    for part, weight in weights[0].items():
        if weight.is_floating_point():
            torch.testing.assert_close(weights[1][part], weight, atol=1e-4, rtol=0)
    assert not list((tmp_path / "two").glob(".*.draft"))


@pytest.mark.slow
def test_what_cannot_be_is_said_once(tmp_path: Path) -> None:
    for words, text in [
        (["train", "--corpus", str(tmp_path / "none")], "there is no corpus"),
        (["train", "--corpus", "chorales", "--wdth", "3"], "unknown: --wdth 3"),
        (["train", "--corpus", "chorales", "--copy-head", "--input", "paper"], "the paper's input with"),
    ]:
        process = command(tmp_path, *words, "--out", str(tmp_path / "run"), "--json")
        out, err = process.communicate(timeout=300)
        assert process.returncode == 1
        assert [line.partition(":")[0] for line in said(err)] == ["error", "hint"], err
        assert text in json.loads(out)["error"]
        assert not (tmp_path / "run").exists()
    process = command(tmp_path, "train", "--corpus", "chorales", "--model", "ngram", "--out", str(tmp_path / "run"))
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert out.count("nats a step") == 2


@pytest.mark.slow
def test_ctrl_c_and_the_death_of_either_leave_a_run_that_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    whole = command(tmp_path, *WORDS, str(tmp_path / "whole"), "--batch", "3", "--dropout", "0.2", "--layers", "2")
    assert whole.wait(timeout=300) == 0
    whole.communicate()
    run, more = tmp_path / "run", []
    words = [*WORDS, str(run), "--batch", "3", "--dropout", "0.2", "--layers", "2"]
    for victim in ("torchrun", "1", "0"):
        process = command(tmp_path, *words, *more, SLOW="0.2")
        until_a_checkpoint(process, run)
        if victim == "torchrun":
            process.send_signal(signal.SIGINT)
        else:
            os.kill(int((tmp_path / f"pid.{victim}").read_text()), signal.SIGKILL)
        began = time.monotonic()
        out, err = process.communicate(timeout=60)
        assert time.monotonic() - began < 20
        assert process.returncode
        expected = {"torchrun": "error: interrupted", "1": "error: another process"}
        if victim in expected:  # the dead do not speak, but torchrun tells of them
            assert said(err)[1].startswith(expected[victim])
            assert "--resume" in said(err)[2]
            assert json.loads(out)["hint"] in said(err)[2]
        assert not (run / "model.safetensors").exists()
        for rank in (0, 1):
            with pytest.raises(ProcessLookupError):
                os.kill(int((tmp_path / f"pid.{rank}").read_text()), 0)
        more = ["--resume"]
    alone = subprocess.run([sys.executable, "-m", "cantilena", *words, "--resume"], env=ENVIRONMENT, check=False,
                           capture_output=True, text=True)  # fmt: skip
    assert alone.returncode == 1
    assert "other options" in alone.stderr
    last = command(tmp_path, *words, "--resume")
    _, err = last.communicate(timeout=300)
    assert last.returncode == 0, err
    for name in ("model.safetensors", "metrics.jsonl"):
        assert (run / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.slow
def test_why_another_process_failed_is_told_by_the_first(tmp_path: Path) -> None:
    process = command(tmp_path, *WORDS, str(tmp_path / "run"), FAIL="1")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert json.loads(out)["error"].startswith("process 1: ")
    assert "the card is full" in said(err)[1]
    assert "Traceback" not in err.partition("error:")[0]


def by_hand(folder: Path, rank: int, port: int, *words: str, **variables: str) -> subprocess.Popen[str]:
    """Without torchrun, as a cluster's own starter does it."""
    script = folder / "program.py"
    script.write_text(COMMAND)
    place = {**START, "RANK": str(rank), "LOCAL_RANK": str(rank), "MASTER_PORT": str(port), "MASTER_ADDR": "127.0.0.1"}
    return subprocess.Popen(
        [sys.executable, str(script), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**ENVIRONMENT, **place, "FOLDER": str(folder), **variables},
    )


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.mark.slow
def test_without_torchrun_they_find_each_other_and_fail_together(tmp_path: Path) -> None:
    words, port = [*WORDS, str(tmp_path / "run")], free_port()
    elsewhere = ["nowhere" if word == "chorales" else word for word in WORDS]  # as on a machine without the corpus
    both = [
        by_hand(tmp_path, 0, port, *words),
        by_hand(tmp_path, 1, port, *elsewhere, str(tmp_path / "elsewhere")),
    ]
    (out, err), silent = (process.communicate(timeout=300) for process in both)
    assert [process.returncode for process in both] == [0, 0], err
    assert json.loads(out)["epochs"] >= 1
    assert silent == ("", "")
    assert not (tmp_path / "elsewhere").exists()
    port = free_port()
    both = [by_hand(tmp_path, rank, port, *words) for rank in (0, 1)]  # the folder holds a finished run now
    (out, err), silent = (process.communicate(timeout=300) for process in both)
    assert [process.returncode for process in both] == [1, 1]
    assert "finished run" in json.loads(out)["error"]
    assert silent == ("", "")


@pytest.mark.slow
@pytest.mark.parametrize("how", ["torchrun", "by hand"])
def test_who_waits_for_the_last_work_of_process_0_ends_with_it(tmp_path: Path, how: str) -> None:
    words, more = [*WORDS, str(tmp_path / "run"), "--no-blend", "--epochs", "1"], {"MEASURE": "600"}
    port = free_port()
    if how == "torchrun":
        all_of_them = [command(tmp_path, *words, **more)]
    else:
        all_of_them = [by_hand(tmp_path, rank, port, *words, **more) for rank in (0, 1)]
    for _ in range(1200):
        if (tmp_path / "measuring").exists():
            break
        assert all_of_them[0].poll() is None
        time.sleep(0.05)
    time.sleep(1.0)  # the other waits by now
    assert all(process.poll() is None for process in all_of_them)
    os.kill(int((tmp_path / "pid.0").read_text()), signal.SIGKILL)
    began = time.monotonic()
    for process in all_of_them:
        process.communicate(timeout=60)
    assert time.monotonic() - began < 20
    assert all(process.returncode for process in all_of_them)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid.1").read_text()), 0)
    assert (tmp_path / "run" / "checkpoint.safetensors").exists()


@pytest.mark.slow
def test_nobody_waits_for_ever(tmp_path: Path) -> None:
    words = [*WORDS, str(tmp_path / "run")]
    lonely = by_hand(tmp_path, 0, free_port(), *words, PATIENCE="3")
    _, err = lonely.communicate(timeout=120)
    assert lonely.returncode == 1
    assert "did not find each other" in said(err)[0]
    assert not (tmp_path / "run").exists()
    port = free_port()
    both = [by_hand(tmp_path, rank, port, *words, PATIENCE="10", SLOW="0.2") for rank in (0, 1)]
    until_a_checkpoint(both[0], tmp_path / "run")
    both[1].send_signal(signal.SIGSTOP)  # it lives, but is not heard any more
    try:
        _, err = both[0].communicate(timeout=60)
        assert both[0].returncode == 1
        assert "not heard any more" in said(err)[1]
    finally:
        both[1].kill()
        both[1].communicate(timeout=60)
