"""From melodies in folders to a report of the answers that listeners gave in a browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cantilena.cli import main
from cantilena.listening import read_study

DESIGN = "--clips 4 --trials 8 --listeners 2 --shortest 2 --longest 4 --tempo 240 --accept pace".split()


@pytest.mark.slow
def test_a_study_is_created_taken_exported_and_analysed(
    visit: Any, serve: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arms = []
    for arm, model, seed in (("human", "tunes", "1"), ("tuned", "tunes+rl", "2")):
        folder = tmp_path / arm
        assert main(["compose", model, "-n", "40", "--bars", "8", "--seed", seed, "--out", str(folder)]) == 0
        arms.append(f"--arm={arm}={folder}")
    path = tmp_path / "study.zip"
    assert main(["listen", "create", *arms, *DESIGN, "--out", str(path)]) == 0
    study, served = read_study(path), serve(path)
    quietest = [clip.about["quietest"] for clip in study.clips if clip.role == "headphones"]
    for session in study.sessions:
        listener = visit(served.url)
        while listener.place != "end-0":
            stage, _, number = listener.place.partition("-")
            trial = session[int(number)] if stage == "trial" else None
            answer = None
            if trial is not None:
                is_human = trial.kind in ("item", "repeat") and study.clip(trial.clip).arm == "human"
                answer = ("human", 3) if is_human else ("computer", 4)
            listener.do(quietest=quietest, answer=answer)
        assert listener.page.inner_text("#score") == "8 of 8"
    admin = visit(served.url).open(served.admin)
    admin.page.wait_for_selector("#progress:not([hidden])")
    for table in ("listeners", "answers"):
        with admin.page.expect_download() as download:
            admin.page.click(f"[data-table={table}]")
        download.value.save_as(tmp_path / "saved" / download.value.suggested_filename)
    capsys.readouterr()
    report = tmp_path / "report"
    assert main(["listen", "analyse", str(path), str(tmp_path / "saved"), "--out", str(report), "--json"]) == 0
    results = json.loads(capsys.readouterr().out)
    assert results["simulated"] is False
    assert (results["arms"]["human"]["trials"], results["arms"]["tuned"]["trials"]) == (8, 8)
    assert (report / "report.html").is_file()
