"""Engraving in processes of their own: the same scores, and nobody waits for a long one."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from cantilena.errors import UsageError
from cantilena.io import score_svg, score_with_timemap
from cantilena.music import Melody
from cantilena.runtime import Failure
from cantilena.server import UnavailableError
from cantilena.studio.export.engraving import EngravingTask, engrave
from cantilena.studio.services.executor import EngravingPool

TUNE = Melody.of([(60, 24), (62, 24), (64, 48)])


def long_melody(sent: Any, notes: int = 2000) -> dict[str, Any]:
    melody: dict[str, Any] = sent(*[(60 + (number * 7) % 12, 9) for number in range(notes)])
    return melody


def test_what_a_process_engraves_is_what_is_engraved_here() -> None:
    async def scene() -> None:
        engraver = EngravingPool()
        sheets = [EngravingTask(TUNE, width, heading=False) for width in (300, 700, 500, 300)]
        found = await asyncio.gather(*(engraver.engrave(sheet) for sheet in sheets))
        assert [one.score for one in found] == [
            score_with_timemap(TUNE, width=sheet.width, heading=False) for sheet in sheets
        ]
        picture = (await engraver.engrave(EngravingTask(TUNE, 900, heading=True, picture="svg"))).picture
        assert picture == score_svg(TUNE, width=900).encode()
        with pytest.raises(UsageError, match="5 pixels"):
            await engraver.engrave(EngravingTask(TUNE, 5, heading=False))
        engraver.close()
        with pytest.raises(UnavailableError, match="shutting down"):
            await engraver.engrave(sheets[0])

    asyncio.run(scene())


def test_pictures_are_made_of_the_same_score() -> None:
    assert engrave(EngravingTask(TUNE, 900, heading=True, picture="pdf")).picture[:5] == b"%PDF-"
    assert engrave(EngravingTask(TUNE, 900, heading=True, picture="png")).picture[1:4] == b"PNG"


def test_a_process_that_gives_out_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        engraver = EngravingPool(max_workers=1)
        monkeypatch.setattr(
            engraver._workers[0], "ask", lambda *_: Failure("it took longer than 30 s", "allow it more")
        )
        with pytest.raises(UsageError, match="longer than 30 s") as refused:
            await engraver.engrave(EngravingTask(TUNE, 500, heading=False))
        assert refused.value.hint == "send fewer notes at a time"
        engraver.close()

    asyncio.run(scene())


def test_others_are_answered_while_a_long_score_is_engraved(live: Any, sent: Any) -> None:
    melody = long_melody(sent)
    with live.client() as client, live.client() as other:
        for one in (client, other):
            one.get("/api/models")
        engraved: list[float] = []

        def ask() -> None:
            began = time.monotonic()
            assert client.post("/api/score", json={"melody": melody}).status_code == 200
            engraved.append(time.monotonic() - began)

        thread = threading.Thread(target=ask)
        thread.start()
        waited: list[float] = []
        while thread.is_alive():
            began = time.monotonic()
            assert other.get("/api/models").status_code == 200
            waited.append(time.monotonic() - began)
            time.sleep(0.02)
        thread.join()
    assert max(waited) < engraved[0] / 3
    assert sorted(waited)[len(waited) // 2] < 0.1
