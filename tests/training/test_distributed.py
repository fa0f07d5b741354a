"""Data-parallel training: ranks, collective operations, and `cantilena train` under torchrun."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from cantilena.data import Corpus, load_builtin
from cantilena.errors import CantilenaError, RunError, UsageError
from cantilena.models import NetworkOptions, Sequences, choose_device, limit_threads, supports_bfloat16
from cantilena.models.network.recurrence import WIDE
from cantilena.tokenizers import GridEncoding
from cantilena.training import (
    ProcessGroup,
    TrainingOptions,
    is_main_process,
    loop,
    rank_from_env,
    train,
    transpositions,
)
from cantilena.workflows.data import encode_pieces

START = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "MASTER_ADDR": "localhost", "MASTER_PORT": "29500"}


def test_ranks_come_from_the_environment() -> None:
    assert not rank_from_env({}).is_distributed
    assert not rank_from_env({"WORLD_SIZE": "1", "RANK": "0"}).is_distributed
    assert not rank_from_env({"RANK": "7"}).is_distributed  # a general name, which may mean something else
    rank = rank_from_env({**START, "LOCAL_WORLD_SIZE": "2"})
    assert (rank.rank, rank.world_size, rank.local_rank, rank.local_world_size) == (1, 2, 1, 2)
    assert not is_main_process(START)
    assert is_main_process({**START, "RANK": "0"})


@pytest.mark.parametrize(
    ("name", "value"),
    [("WORLD_SIZE", "two"), ("WORLD_SIZE", "-2"), ("WORLD_SIZE", "0"), ("WORLD_SIZE", "9" * 5000), ("WORLD_SIZE", "²"),
     ("RANK", ""), ("RANK", "2"), ("RANK", "1.0"), ("LOCAL_RANK", ""), ("LOCAL_RANK", "2"), ("LOCAL_WORLD_SIZE", "3"),
     ("LOCAL_WORLD_SIZE", "1"), ("MASTER_ADDR", ""), ("MASTER_ADDR", " "), ("MASTER_PORT", ""),
     ("MASTER_PORT", "70000"), ("MASTER_PORT", "http")],
)  # fmt: skip
def test_an_invalid_environment_is_refused(name: str, value: str) -> None:
    wrong = {**START, name: value}
    with pytest.raises(UsageError, match=r"WORLD_SIZE|RANK|MASTER") as caught:
        rank_from_env(wrong)
    assert "torchrun" in caught.value.hint
    assert "\n" not in caught.value.text
    assert is_main_process(wrong)


def test_each_process_takes_its_own_cuda_device_and_share_of_processors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [str(choose_device(name, rank)) for name in ("auto", "cuda") for rank in (0, 1)] == ["cuda:0", "cuda:1"] * 2
    assert str(choose_device("cpu", 1)) == "cpu"
    with pytest.raises(UsageError, match="3 processes or more on a machine with 2 CUDA cards"):
        choose_device("auto", 2)
    for alone in ("mps", "cuda:1"):
        with pytest.raises(UsageError, match="share"):
            choose_device(alone, 1)
    monkeypatch.setattr("cantilena.models.network.device.cpu_count", lambda: 8)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 6)
    chosen: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", chosen.append)
    for processes in (1, 2, 16):
        with limit_threads(1024, 64, processes):
            pass
    assert chosen == [6, 6, 4, 6, 1, 6]


@pytest.mark.parametrize(("policy", "threads"), [("", [1, 6, 1, 6, 6, 6]), ("passive", [1, 6, 6, 6, 6, 6])])
def test_threads_that_spin_need_larger_products(
    monkeypatch: pytest.MonkeyPatch, policy: str, threads: list[int]
) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", policy)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 6)
    chosen: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", chosen.append)
    for width, rows in ((64, 8), (256, 512), (1024, 64)):
        with limit_threads(width, rows):
            pass
    assert chosen == threads


@pytest.fixture
def group() -> Iterator[ProcessGroup]:
    """The code path of two processes, over a torch group that has this process alone."""
    import torch.distributed.nn.functional  # as `init_distributed` does, before there is a group

    store = torch.distributed.HashStore()
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield ProcessGroup(world_size=2, _store=store)
    torch.distributed.destroy_process_group()


def test_collective_operations(group: ProcessGroup) -> None:
    layer = torch.nn.Linear(2, 1)
    loss = layer(torch.ones(1, 2)).sum()
    layer.weight.grad = torch.full((1, 2), 3.0)
    assert group.all_reduce_gradients(layer.parameters(), loss) == float(loss.detach())
    assert layer.weight.grad.tolist() == [[3.0, 3.0]]
    assert layer.bias.grad is not None
    assert layer.bias.grad.tolist() == [0.0]
    assert group.all_reduce([1.5, 2.0]) == [1.5, 2.0]
    assert [group.broadcast(value) for value in ("text", {"a": 1}, None)] == ["text", {"a": 1}, None]


@pytest.mark.parametrize(
    ("error", "status", "text", "hint"),
    [
        (UsageError("bad", "do better"), 2, "process 1: bad", "do better"),
        (KeyboardInterrupt(), 130, "process 1: interrupted", "--resume"),
        (OSError("out of memory"), 1, "process 1: unexpected OSError: out of memory", "--debug"),
    ],
)
def test_the_others_report_why_a_process_failed(
    group: ProcessGroup, error: BaseException, status: int, text: str, hint: str
) -> None:
    other = replace(group, rank=1)
    other._report(error)
    other._report(ValueError("only the first report counts"))
    with pytest.raises(CantilenaError, match=text) as caught:
        other.broadcast(None)  # process 0 never broadcasts
    assert caught.value.exit_status == status
    assert hint in caught.value.hint


def test_an_unexplained_failure_has_a_hint(group: ProcessGroup, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("Connection closed by peer")

    monkeypatch.setattr(torch.distributed, "all_reduce", fails)
    with pytest.raises(RunError, match="another process") as caught:
        group.all_reduce([1.0])
    assert "--resume" in caught.value.hint


GRID = GridEncoding()
PLAIN = NetworkOptions(width=16, embedding=8, dropout=0.0)
OPTIONS = TrainingOptions(
    epochs=2, budget=0, batch=6, steps=32, warmup=2, learning_rate=6e-3, precision="float32", device="cpu"
)
MELODIES = load_builtin("tunes").melodies("train")[:500:8]
TUNES = Sequences.from_tokens([GRID.encode(melody) for melody in MELODIES])
PIECES, VALID = (
    Sequences.from_tokens(TUNES.tokens[:61]),
    Sequences.from_tokens(TUNES.tokens[61:]),
)  # the last batch holds one piece
KNOWN = encode_pieces(GRID, MELODIES[:61], [1 + number % 2 for number in range(61)]).sequences
TOLD = replace(PLAIN, conditions=("key", "mode", "meter", "style"), styles=("odd", "even"))
TRAININGS = {
    "plain": (PLAIN, replace(OPTIONS, epochs=1)),
    "memory": (
        replace(PLAIN, repeat_features=1, copy_head=True, attention=4),
        replace(OPTIONS, ema_decay=0.9, transpose=3, schedule="plateau", epochs=1),
    ),
    "told": (TOLD, replace(OPTIONS, transpose=6, condition_dropout=0.3, epochs=1)),
    "transformer": (
        replace(TOLD, core="transformer", heads=2),
        replace(OPTIONS, transpose=6, condition_dropout=0.3, epochs=1, learning_rate=1e-3),
    ),
    "paper": (NetworkOptions(input="paper", window=4, width=8, dropout=0.0), replace(OPTIONS, batch=400)),
    "wide": (replace(PLAIN, width=WIDE), replace(OPTIONS, precision="bfloat16", batch=30, epochs=1)),
    "dropout": (replace(PLAIN, layers=2, dropout=0.3), replace(OPTIONS, epochs=1)),
}


if not supports_bfloat16(torch.device("cpu"), WIDE):
    del TRAININGS["wide"]


def recorded(shape: NetworkOptions, options: TrainingOptions, **named):
    """A training, and the loss of each of its updates."""
    pieces = KNOWN if shape.conditions else PIECES if shape.width < WIDE else Sequences.from_tokens(PIECES.tokens[:20])
    losses, update = [], loop.TrainState.update

    def recording(self, loss, steps, fraction):
        before = self.progress.nats
        update(self, loss, steps, fraction)
        losses.append((self.progress.nats - before) / steps)

    loop.TrainState.update = recording
    try:
        table = transpositions(GRID, options.transpose) if options.transpose else None
        named |= {"vocabulary_size": 38, "network": shape, "training": options, "transpositions": table, "quiet": True}
        return train(pieces, VALID, **named), losses
    finally:
        loop.TrainState.update = update


TWO_PROCESSES = """
import json, sys
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from safetensors.torch import save_file
from test_distributed import TRAININGS, recorded
from cantilena.training import init_distributed
with init_distributed() as processes:
    for name, (shape, options) in [*TRAININGS.items(), ("again", TRAININGS["dropout"])]:
        made, losses = recorded(shape, replace(options, batch=options.batch // 2), processes=processes)
        path = Path(sys.argv[2]) / f"{name}.{processes.rank}"
        save_file(made.network.state_dict(), path.with_suffix(f"{path.suffix}.safetensors"))
        path.with_suffix(f"{path.suffix}.json").write_text(json.dumps({"losses": losses, "history": made.history}))
    calls = []
    made, _ = recorded(*TRAININGS["paper"], processes=processes, after_epoch=lambda *args: calls.append(args) or True)
    Path(sys.argv[2], f"ended.{processes.rank}.json").write_text(json.dumps([made.epochs, made.valid, calls]))
threads = [file.read_text() for file in Path("/proc/self/task").glob("*/comm")]  # on Linux only
assert not any("gloo" in name for name in threads), threads  # a remaining one may abort the process at exit
"""


@pytest.mark.slow
def test_two_processes_follow_one_with_the_double_batch(tmp_path: Path, torchrun: Any) -> None:
    process = torchrun(tmp_path, TWO_PROCESSES, str(Path(__file__).parent), str(tmp_path))
    alone = {name: recorded(*arguments) for name, arguments in TRAININGS.items()}
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
        if name == "wide":  # rounded differently, but identical in both processes
            np.testing.assert_allclose(zero["losses"], losses, atol=0.02, rtol=0)
            continue
        assert len(losses) >= 50
        np.testing.assert_allclose(zero["losses"][:50], losses[:50], atol=1e-4, rtol=0)
        np.testing.assert_allclose([e["valid"] for e in zero["history"]], [e["valid"] for e in one.history], atol=1e-4)
        both = load_file(tmp_path / f"{name}.0.safetensors")
        for part, weight in one.network.state_dict().items():
            torch.testing.assert_close(both[part], weight, atol=1e-4, rtol=0)
    # Only process 0 calls `after_epoch`, and all stop with it.
    first, second = (json.loads((tmp_path / f"ended.{rank}.json").read_text()) for rank in (0, 1))
    assert first[:2] == second[:2]
    assert (first[0], first[2], second[2]) == (1, [[1, first[1]]], [])
    # Dropout drops other cells in each process, and the same ones in a second run.
    assert weights("again", 0) == weights("dropout", 0)
    both = json.loads((tmp_path / "dropout.0.json").read_text())["losses"]
    assert both[0] != pytest.approx(alone["dropout"][1][0], abs=1e-4)
    assert both[-1] == pytest.approx(alone["dropout"][1][-1], abs=0.5)


COMMAND = """
import dataclasses, os, sys, time
from datetime import timedelta
from pathlib import Path
import cantilena.training.distributed as distributed
import cantilena.training.loop as loop
from cantilena.models import Bundle
rank = os.environ["RANK"]
Path(os.environ["FOLDER"], f"pid.{rank}").write_text(str(os.getpid()))
distributed._TIMEOUT = timedelta(seconds=float(os.environ.get("PATIENCE", "300")))
save = loop.save_checkpoint
def slowly(*args):
    save(*args)
    time.sleep(float(os.environ.get("SLOW", "0")))
loop.save_checkpoint = slowly
init, update = loop.TrainState.__init__, loop.TrainState.update
def often(self, network, options, processes):
    init(self, network, dataclasses.replace(options, checkpoint_seconds=0.0), processes)
def failing(self, *args):
    if os.environ.get("FAIL") == rank and self.progress.updates == 3:
        raise OSError(12, "the card is full")
    update(self, *args)
loop.TrainState.__init__, loop.TrainState.update = often, failing
save_bundle = Bundle.save
def last_work(*args):
    Path(os.environ["FOLDER"], "last work").touch()
    time.sleep(float(os.environ.get("LAST_WORK", "0")))
    return save_bundle(*args)
Bundle.save = last_work
from cantilena.cli import main
sys.exit(main(sys.argv[1:]))
"""

WORDS = (
    "train --corpus chorales --budget 50000 --width 16 --dropout 0 --precision float32 --device cpu --json --out"
).split()


@pytest.fixture
def command(torchrun: Any) -> Any:
    """The command in two processes: `command(folder, *words, VARIABLE=value)`."""
    return lambda folder, *words, **variables: torchrun(folder, COMMAND, *words, FOLDER=str(folder), **variables)


@pytest.fixture
def by_hand(surroundings: dict[str, str]) -> Any:
    """One process of two without torchrun, as a cluster's own starter does it."""

    def started(folder: Path, rank: int, port: int, *words: str, **variables: str) -> subprocess.Popen[str]:
        script = folder / "program.py"
        script.write_text(COMMAND)
        place = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"}
        master = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        return subprocess.Popen(
            [sys.executable, str(script), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**surroundings, **place, **master, "FOLDER": str(folder), **variables},
        )

    return started


def wait_for_checkpoint(process: subprocess.Popen[str], run: Path) -> None:
    checkpoint, before = run / "checkpoint.safetensors", time.time_ns()
    for _ in range(2400):
        if checkpoint.exists() and checkpoint.stat().st_mtime_ns > before:
            return
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)
    raise AssertionError("no checkpoint")


def messages(err: str) -> list[str]:
    return [line for line in err.splitlines() if line.startswith(("error:", "hint:", "A network"))]


@pytest.mark.e2e
def test_the_command_prints_once_and_trains_as_one_process_does(tmp_path: Path, command: Any) -> None:
    from cantilena.cli import main

    chorales = load_builtin("chorales")
    third = Corpus(chorales.table.take([*range(0, len(chorales), 3)]), chorales.manifest)  # some 80 updates
    third.save(tmp_path / "third.arrow")
    words = ["train", "--corpus", str(tmp_path / "third.arrow"), "--epochs", "1", *WORDS[3:]]
    process = command(tmp_path, *words, str(tmp_path / "two"), "--batch", "3")
    assert main([*words, str(tmp_path / "one"), "--batch", "6"]) == 0
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    answer = json.loads(out)  # one object and nothing else
    assert len(messages(err)) == 1
    assert "2 processes" in messages(err)[0]
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
def test_errors_are_printed_once(tmp_path: Path, command: Any) -> None:
    for words in [
        ["train", "--corpus", str(tmp_path / "none")],
        ["train", "--corpus", "chorales", "--wdth", "3"],
        ["train", "--corpus", "chorales", "--copy-head", "--input", "paper"],
    ]:
        process = command(tmp_path, *words, "--out", str(tmp_path / "run"), "--json")
        out, err = process.communicate(timeout=300)
        assert process.returncode == 1
        assert [line.partition(":")[0] for line in messages(err)] == ["error", "hint"], err
        assert json.loads(out)["error"] in messages(err)[0]
        assert not (tmp_path / "run").exists()
    process = command(tmp_path, "train", "--corpus", "chorales", "--model", "ngram", "--out", str(tmp_path / "run"))
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert out.count("nats a step") == 2


@pytest.mark.slow
def test_an_interrupted_or_killed_run_resumes_bit_identically(
    tmp_path: Path, command: Any, surroundings: dict[str, str]
) -> None:
    whole = command(tmp_path, *WORDS, str(tmp_path / "whole"), "--batch", "3", "--dropout", "0.2", "--layers", "2")
    assert whole.wait(timeout=300) == 0
    whole.communicate()
    run, more = tmp_path / "run", []
    words = [*WORDS, str(run), "--batch", "3", "--dropout", "0.2", "--layers", "2"]
    for victim in ("torchrun", "1", "0"):
        process = command(tmp_path, *words, *more, SLOW="0.2")
        wait_for_checkpoint(process, run)
        if victim == "torchrun":
            process.send_signal(signal.SIGINT)
        else:
            os.kill(int((tmp_path / f"pid.{victim}").read_text()), signal.SIGKILL)
        out, err = process.communicate(timeout=30)
        assert process.returncode
        expected = {"torchrun": "error: interrupted", "1": "error: another process"}
        if victim in expected:  # a killed process prints nothing, but torchrun does
            assert messages(err)[1].startswith(expected[victim])
            assert "--resume" in messages(err)[2]
            assert json.loads(out)["hint"] in messages(err)[2]
        assert not (run / "model.safetensors").exists()
        for rank in (0, 1):
            with pytest.raises(ProcessLookupError):
                os.kill(int((tmp_path / f"pid.{rank}").read_text()), 0)
        more = ["--resume"]
    alone = subprocess.run([sys.executable, "-m", "cantilena", *words, "--resume"], env=surroundings, check=False,
                           capture_output=True, text=True)  # fmt: skip
    assert alone.returncode == 1
    assert "other options" in alone.stderr
    last = command(tmp_path, *words, "--resume")
    _, err = last.communicate(timeout=300)
    assert last.returncode == 0, err
    for name in ("model.safetensors", "metrics.jsonl"):
        assert (run / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.slow
def test_process_0_reports_why_another_failed(tmp_path: Path, command: Any) -> None:
    process = command(tmp_path, *WORDS, str(tmp_path / "run"), FAIL="1")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert json.loads(out)["error"].startswith("process 1: ")
    assert "the card is full" in messages(err)[1]
    assert "Traceback" not in err.partition("error:")[0]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.mark.slow
def test_processes_started_by_hand_connect_and_fail_together(tmp_path: Path, by_hand: Any) -> None:
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
def test_a_process_that_waits_for_process_0_exits_with_it(tmp_path: Path, how: str, command: Any, by_hand: Any) -> None:
    words, more = [*WORDS, str(tmp_path / "run"), "--no-blend", "--epochs", "1"], {"LAST_WORK": "600"}
    port = free_port()
    if how == "torchrun":
        processes = [command(tmp_path, *words, **more)]
    else:
        processes = [by_hand(tmp_path, rank, port, *words, **more) for rank in (0, 1)]
    for _ in range(1200):
        if (tmp_path / "last work").exists():
            break
        assert processes[0].poll() is None
        time.sleep(0.05)
    time.sleep(1.0)  # the other waits by now
    assert all(process.poll() is None for process in processes)
    os.kill(int((tmp_path / "pid.0").read_text()), signal.SIGKILL)
    for process in processes:
        process.communicate(timeout=30)
    assert all(process.returncode for process in processes)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid.1").read_text()), 0)
    assert (tmp_path / "run" / "checkpoint.safetensors").exists()


@pytest.mark.slow
def test_waiting_has_a_timeout(tmp_path: Path, by_hand: Any) -> None:
    words = [*WORDS, str(tmp_path / "run")]
    lonely = by_hand(tmp_path, 0, free_port(), *words, PATIENCE="3")
    _, err = lonely.communicate(timeout=120)
    assert lonely.returncode == 1
    assert "could not connect to each other" in messages(err)[0]
    assert not (tmp_path / "run").exists()
    port = free_port()
    long = [*words, "--budget", "5000000"]  # more than is trained before it stops, on a slow machine too
    both = [by_hand(tmp_path, rank, port, *long, PATIENCE="10", SLOW="0.2") for rank in (0, 1)]
    wait_for_checkpoint(both[0], tmp_path / "run")
    both[1].send_signal(signal.SIGSTOP)  # alive, but not responding
    try:
        _, err = both[0].communicate(timeout=60)
        assert both[0].returncode == 1
        assert "does not respond" in messages(err)[1]
    finally:
        both[1].kill()
        both[1].communicate(timeout=60)
