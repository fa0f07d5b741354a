"""The data folder, and the pages that are open."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from cantilena.studio.state import DataDir, OpenPages, default_data_dir


def test_the_default_folder_is_that_of_the_system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_data_dir() == tmp_path / "cantilena" / "studio"
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert default_data_dir() == Path.home() / ".local" / "share" / "cantilena" / "studio"


def test_only_the_first_of_several_studios_gets_the_lock(tmp_path: Path) -> None:
    first, second = DataDir(tmp_path), DataDir(tmp_path)
    assert first.lock()
    first.share()
    assert not second.lock()
    second.share()
    first.unlock()
    assert not first.lock()
    first.unlock()
    second.unlock()
    assert first.lock()
    first.unlock()


def test_closed_pages_are_reported_after_a_while() -> None:
    async def run() -> list[str]:
        closed: list[str] = []
        pages = OpenPages(closed.append, timeout=0.05)
        pages.expect("a")
        pages.expect("")
        stream = pages.stream("b")
        await anext(stream)
        pages.expect("b")
        await asyncio.sleep(0.2)
        assert closed == ["a"]
        second = pages.stream("b")
        await anext(second)
        await stream.aclose()
        await asyncio.sleep(0.1)
        assert closed == ["a"]  # the same page is open in another tab
        await second.aclose()
        await asyncio.sleep(0.2)
        return closed

    assert asyncio.run(run()) == ["a", "b"]
