"""Sessions in a browser: from consent to the export, in parallel, after a closed tab, after a killed server."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from cantilena.listening import analyse, read_answers, read_study

pytestmark = pytest.mark.e2e

SHORT = 0.1
"""Seconds of the shortest clip: there are dozens, and each is played to its end."""


def test_two_listeners_take_the_whole_test_in_parallel(visit: Any, serve: Any, tmp_path: Path) -> None:
    served = serve(clips_per_listener=6, seconds=SHORT)
    first, second = visit(served.url), visit(served.url)
    for one in (first, second):
        one.until("training")
    while first.place != "end-0" or second.place != "end-0":
        for one in (first, second):
            if one.place != "end-0":
                one.do()
    assert " of 12" in first.page.inner_text("#score")
    admin = visit(served.url).open(served.admin)
    admin.page.wait_for_selector("#rows tr:nth-child(2)")
    assert "2 finished; 32 answers" in admin.page.inner_text("#sum")
    assert admin.page.url.endswith("/admin")
    admin.page.reload()  # the key is no longer in the address, but the tab has it
    admin.page.wait_for_selector("#rows tr:nth-child(2)")
    (tmp_path / "saved").mkdir()
    for table in ("listeners", "answers"):
        with admin.page.expect_download() as download:
            admin.page.click(f"[data-table={table}]")
        download.value.save_as(tmp_path / "saved" / download.value.suggested_filename)
    study, saved = read_study(served.study), read_answers(tmp_path / "saved")
    assert saved == read_answers(served.answers)
    assert [one.session for one in saved.listeners] == [0, 1]
    assert all(one.headphones and one.consent and one.years_of_training == 3 for one in saved.listeners)
    sessions = {row.listener: row.session for row in saved.listeners}
    for one in saved.answers:
        session = study.sessions[sessions[one.listener]]
        assert (session[one.position].clip, session[one.position].kind) == (one.clip, one.kind)
        assert one.answer == ("human" if one.position % 2 else "computer")
        assert one.confidence == one.position % 4 + 1
        assert 0.5 * study.clip(one.clip).seconds <= one.seconds_heard < 60
    score = sum(
        (one.answer == "human") == (study.clip(one.clip).arm == "human")
        for one in saved.answers
        if one.kind == "item" and one.listener == saved.listeners[0].listener
    )
    assert first.page.inner_text("#score") == f"{score} of 12"
    assert analyse(study, saved, seed=1).screened.excluded_listeners == {}
    assert not any(clip.id in request for one in (first, second) for clip in study.clips for request in one.requests)


def test_the_test_continues_after_a_reload_in_a_new_tab_and_on_another_device(visit: Any, serve: Any) -> None:
    served = serve(seconds=SHORT)
    listener = visit(served.url).until("trial-2")
    address = listener.page.url
    listener.page.reload()
    listener.page.wait_for_selector("form[data-place=trial-2]")
    listener.page.close()
    listener.open()
    assert listener.place == "consent"
    listener.page.click("text=Continue that test")
    listener.page.wait_for_selector("form[data-place=trial-2]")
    elsewhere = visit(served.url).open(address.removeprefix(served.url))
    assert elsewhere.place == "trial-2"
    elsewhere.do()
    listener.do()  # the other device answered first, and that answer is kept
    assert listener.place == "trial-3"
    assert [one.position for one in read_answers(served.answers).answers] == [0, 1, 2]


def test_a_killed_server_loses_no_answer_and_the_page_continues_after_its_restart(visit: Any, serve: Any) -> None:
    served = serve(seconds=SHORT)
    listener = visit(served.url).until("trial-2")
    listener.hear()
    listener.choose("answer", "human")
    listener.choose("confidence", 4)
    served.end(signal.SIGKILL)
    assert len(read_answers(served.answers).answers) == 2
    listener.page.click("main .big")
    listener.page.wait_for_selector("#banner:not([hidden])")
    again = serve(served.study, port=served.url.rpartition(":")[2])
    listener.page.wait_for_selector("form[data-place=trial-3]")
    assert listener.page.locator("#banner").is_hidden()
    given = read_answers(again.answers).answers
    assert [(one.position, one.answer, one.confidence) for one in given][2] == (2, "human", 4)
    listener.clear_connection_errors()
    listener.do()


def test_the_next_listener_starts_on_the_same_device(visit: Any, serve: Any) -> None:
    served = serve(seconds=SHORT)
    listener = visit(served.url).until("end")
    listener.page.click("text=Start for the next listener")
    listener.page.wait_for_selector("form[data-place=consent]")
    assert listener.page.url == f"{served.url}/"
    listener.page.reload()
    listener.page.wait_for_selector("form[data-place=consent]")
    assert listener.page.locator("text=Continue that test").count() == 0
    listener.until("trial-0")
    listener.do()
    assert [one.session for one in read_answers(served.answers).listeners] == [0, 1]


def test_a_clip_is_heard_whole_in_a_browser_that_reports_its_start_late(visit: Any, serve: Any) -> None:
    served = serve(seconds=SHORT)
    listener = visit(served.url).until("headphones-0-0")
    listener.page.evaluate(
        """() => {
            const play = HTMLMediaElement.prototype.play;
            HTMLMediaElement.prototype.play = function () {
                const playing = play.call(this), start = performance.now();
                while (performance.now() - start < 300);
                return playing;
            };
        }"""
    )
    listener.do()
    assert listener.place == "headphones-0-1"


def test_the_headphone_check_can_be_taken_twice(visit: Any, serve: Any) -> None:
    served = serve(seconds=SHORT)
    listener = visit(served.url).until("headphones-0-0")
    for number in range(3):
        listener.hear()
        listener.choose("quietest", (number + 1) % 3)
        listener.next()
    assert listener.place == "headphones-1-0"
    assert "loudspeakers" in listener.page.inner_text("main")
    assert listener.until("trial-1").place == "trial-1"
    assert read_answers(served.answers).listeners[0].headphones is True
