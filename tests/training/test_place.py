"""Which of several processes this one is: what starters say, and what makes no sense."""

from __future__ import annotations

import pytest
import torch

from cantilena.errors import UsageError
from cantilena.models import choose_device, limit_threads
from cantilena.training import placed, speaks

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
    monkeypatch.setattr("cantilena.models.network.device.processors", lambda: 8)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 6)
    chosen: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", chosen.append)
    for processes in (1, 2, 16):
        with limit_threads(1024, 64, processes):
            pass
    assert chosen == [6, 6, 4, 6, 1, 6]
