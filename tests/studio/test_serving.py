"""The studio as a person runs it: it opens quickly, says where, ends quickly, and answers many at once."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cantilena.errors import UsageError
from cantilena.generation import ComposeOptions, load
from cantilena.server import TooManyRequestsError, UnavailableError
from cantilena.studio import StudioOptions
from cantilena.studio.services.executor import BoundedExecutor, Deadline
from cantilena.studio.state import default_data_dir


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cantilena", "studio", *words], capture_output=True, text=True, check=False, timeout=60
    )


def test_a_taken_port_is_one_line_and_a_hint(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run("--port", str(port), "--no-open", "--home", str(tmp_path), "--json")
    assert done.returncode == 1
    assert f"127.0.0.1:{port}" in done.stderr
    assert "--port 0" in done.stderr
    assert set(json.loads(done.stdout)) == {"error", "hint"}
    assert "Traceback" not in done.stderr


def test_a_home_that_is_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("--port", "0", "--no-open", "--home", str(tmp_path / "file"))
    assert done.returncode == 1
    assert done.stderr.startswith("error: cannot make the studio's folder")


@pytest.mark.parametrize("with_signal", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_within_a_second_though_pages_and_jobs_are_open(start: Any, with_signal: int) -> None:
    studio = start()
    with studio.client() as client:
        job = client.post("/api/jobs", json={"model": "tunes", "updates": 500}).json()["job"]
        streams = threading.Barrier(3)

        def hold(path: str) -> None:
            with client.stream("GET", path) as stream:
                lines = stream.iter_lines()
                next(lines)
                streams.wait(10)
                try:
                    for _ in lines:
                        pass
                except Exception:  # the studio has ended
                    return

        paths = ["/api/pages/one/events", f"/api/jobs/{job['id']}/events"]
        threads = [threading.Thread(target=hold, args=(path,), daemon=True) for path in paths]
        for thread in threads:
            thread.start()
        streams.wait(10)
        began = time.monotonic()
        studio.end(with_signal)
        assert time.monotonic() - began < 2.0  # 0.6 s on a machine that does nothing else
        for thread in threads:
            thread.join(5)
    assert studio.process.returncode in (0, -with_signal, 128 + with_signal)


def test_two_studios_can_share_a_home(start: Any) -> None:
    first = start()
    second = start(home=first.home)
    for studio in (first, second):
        with studio.client() as client:
            candidate = {"melody": {"notes": [{"onset": 0, "duration": 24, "pitches": [60]}]}}
            assert client.post("/api/history", json={"candidate": candidate}).status_code == 201
            total = client.get("/api/history").json()["total"]
    assert total == 2


def test_fifty_clients_at_once_each_get_their_own_answer(live: Any) -> None:
    composer = load("tunes")
    seeds = range(50)
    expected = {
        seed: [(n.onset, n.pitches[0]) for n in composer.compose_many(1, ComposeOptions(bars=4), seed=seed)[0].sounding]
        for seed in seeds
    }
    together = threading.Barrier(len(seeds))

    def ask(seed: int) -> tuple[int, Any, bool]:
        asked = {"model": "tunes", "bars": 4, "seed": seed}
        streamed = seed % 2 == 0
        headers = {"Accept": "text/event-stream"} if streamed else {}
        with live.client() as client:
            together.wait(30)
            answer = client.post("/api/compose", json=asked, headers=headers)
        if answer.status_code != 200:
            return seed, answer.text, streamed
        if not streamed:
            return seed, answer.json()["candidates"], streamed
        events = [block.split("\n") for block in answer.text.split("\n\n") if block.startswith("event: candidate")]
        return seed, [json.loads(data.removeprefix("data: ")) for _, data in events], streamed

    with ThreadPoolExecutor(len(seeds)) as threads:
        answers = list(threads.map(ask, seeds))
    for seed, candidates, _ in answers:
        assert isinstance(candidates, list), candidates
        (candidate,) = candidates
        assert candidate["seed"] == seed
        assert [(n["onset"], n["pitches"][0]) for n in candidate["melody"]["notes"]] == expected[seed]


def test_eight_bars_are_composed_within_a_second(live: Any) -> None:
    with live.client() as client:
        client.post("/api/compose", json={"bars": 1})  # the rules are compiled
        took = []
        for seed in range(3):
            began = time.monotonic()
            assert client.post("/api/compose", json={"bars": 8, "seed": seed}).status_code == 200
            took.append(time.monotonic() - began)
    assert min(took) < 1.0


def test_the_bench_bounds_how_many_wait_and_how_long() -> None:
    import asyncio

    async def scene() -> None:
        bench, busy = BoundedExecutor(1, 1), threading.Event()
        began = threading.Event()

        def hold(_: Deadline) -> str:
            began.set()
            busy.wait(5)
            return "held"

        first = asyncio.create_task(bench.run(hold))
        await asyncio.to_thread(began.wait, 5)
        second = asyncio.create_task(bench.run(lambda _: "next"))
        await asyncio.sleep(0)
        with pytest.raises(TooManyRequestsError):
            await bench.run(lambda _: "too many")
        busy.set()
        assert await first == "held"
        assert await second == "next"

        def slow(deadline: Deadline) -> None:
            while True:
                time.sleep(0.01)
                deadline.check()

        with pytest.raises(UnavailableError):
            await bench.run(slow, 0.05)
        assert await bench.run(lambda _: "free again", 2.0) == "free again"
        assert bench.pending == 0
        bench.close()

    asyncio.run(scene())


def test_options_that_make_no_sense_are_refused() -> None:
    for wrong in ({"port": -1}, {"port": 70_000}, {"host": "a b"}, {"host": ""}, {"allow_host": ("http://x",)}):
        with pytest.raises(UsageError):
            StudioOptions(**wrong)  # type: ignore[arg-type]


def test_its_usual_home_is_where_the_system_keeps_such_things(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_data_dir() == tmp_path / "cantilena" / "studio"
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert default_data_dir() == Path.home() / ".local" / "share" / "cantilena" / "studio"
