"""The executors bound how many calls run and wait, and how long."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from cantilena.errors import UsageError
from cantilena.io import score_svg, score_with_timemap
from cantilena.music import Melody
from cantilena.runtime import Failure
from cantilena.server import TooManyRequestsError, UnavailableError
from cantilena.studio.export.engraving import EngravingTask, engrave
from cantilena.studio.services.executor import BoundedExecutor, Deadline, EngravingPool

MELODY = Melody.from_pitches([(60, 24), (62, 24), (64, 48)])


def loop_until_late(deadline: Deadline) -> None:
    while True:
        time.sleep(0.005)
        deadline.check()


def test_the_queue_is_bounded() -> None:
    async def run() -> None:
        executor, started, release = BoundedExecutor(1, 1), threading.Event(), threading.Event()

        def hold(_: Deadline) -> str:
            started.set()
            release.wait(5)
            return "held"

        first = asyncio.create_task(executor.run(hold))
        await asyncio.to_thread(started.wait, 5)
        second = asyncio.create_task(executor.run(lambda _: "next"))
        await asyncio.sleep(0)
        with pytest.raises(TooManyRequestsError):
            await executor.run(lambda _: "too many")
        release.set()
        assert await first == "held"
        assert await second == "next"
        executor.close()

    asyncio.run(run())


def test_calls_end_at_their_deadline_or_when_they_are_cancelled() -> None:
    async def run() -> None:
        executor = BoundedExecutor(1, 1)
        with pytest.raises(UnavailableError, match="too long"):
            await executor.run(loop_until_late, 0.05)
        caller = asyncio.create_task(executor.run(loop_until_late, 60.0))
        await asyncio.sleep(0.05)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        assert await executor.run(lambda _: "free again", 5.0) == "free again"
        assert executor.pending == 0
        executor.close()

    asyncio.run(run())


def test_each_caller_gets_its_own_result_or_exception() -> None:
    async def run() -> None:
        executor = BoundedExecutor(2, 100)
        results = await asyncio.gather(*(executor.run(lambda _, n=n: 1 / n) for n in range(50)), return_exceptions=True)
        assert isinstance(results[0], ZeroDivisionError)
        assert results[1:] == [1 / n for n in range(1, 50)]
        executor.close()

    asyncio.run(run())


def test_closing_rejects_all_callers() -> None:
    async def run() -> None:
        executor = BoundedExecutor(1, 5)
        callers = [asyncio.create_task(executor.run(loop_until_late)) for _ in range(3)]
        await asyncio.sleep(0.02)
        executor.close()
        for caller in callers:
            with pytest.raises(UnavailableError, match="shutting down"):
                await caller
        with pytest.raises(UnavailableError, match="shutting down"):
            await executor.run(lambda _: None)

    asyncio.run(run())


def test_processes_engrave_the_same_scores() -> None:
    async def run() -> None:
        pool = EngravingPool()
        tasks = [EngravingTask(MELODY, width, heading=False) for width in (300, 700, 500, 300)]
        found = await asyncio.gather(*(pool.engrave(task) for task in tasks))
        assert [result.score for result in found] == [
            score_with_timemap(MELODY, width=task.width, heading=False) for task in tasks
        ]
        picture = (await pool.engrave(EngravingTask(MELODY, 900, heading=True, picture="svg"))).picture
        assert picture == score_svg(MELODY, width=900).encode()
        with pytest.raises(UsageError, match="5"):
            await pool.engrave(EngravingTask(MELODY, 5, heading=False))
        pool.close()
        with pytest.raises(UnavailableError, match="shutting down"):
            await pool.engrave(tasks[0])

    asyncio.run(run())


def test_a_failed_process_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        pool = EngravingPool(max_workers=1)
        failure = Failure("it took longer than 30 s", "allow it more")
        monkeypatch.setattr(pool._workers[0], "run", lambda *_: failure)
        with pytest.raises(UsageError, match="longer than 30 s") as error:
            await pool.engrave(EngravingTask(MELODY, 500, heading=False))
        assert error.value.hint == "send fewer notes at a time"
        pool.close()

    asyncio.run(run())


@pytest.mark.parametrize(("picture", "start"), [("svg", b"<svg"), ("pdf", b"%PDF-"), ("png", b"\x89PNG")])
def test_pictures_are_files_of_their_format(picture: str, start: bytes) -> None:
    task = EngravingTask(MELODY, 900, heading=True, picture=picture)  # type: ignore[arg-type]
    assert engrave(task).picture.startswith(start)
