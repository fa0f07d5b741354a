"""How soon the studio answers: after its start, eight bars, fifty callers at once, and beside a long score.

    python benchmarks/studio.py [--rounds 5]

Starts `cantilena studio` as a person does, with a folder of its own, and asks it over the wire. The fifty callers ask
together, each with another seed, half of them in events; every answer is compared with what the same seed gave alone.
The long score has 2,000 notes in 188 bars; beside it `GET /api/models` is asked again and again.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from statistics import median
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

CALLERS, BARS = 50, 8
LONG = {"notes": [{"onset": 9 * n, "duration": 9, "pitches": [60 + 7 * n % 12]} for n in range(2000)]}
SHORT = {"notes": [{"onset": 12 * n, "duration": 12, "pitches": [60 + 7 * n % 12]} for n in range(64)]}
OPENER = build_opener(ProxyHandler({}))


@dataclass
class Studio:
    """A studio in a process of its own."""

    process: subprocess.Popen[str]
    url: str
    seconds: float

    def ask(self, path: str, asked: Any = None, *, accept: str = "application/json") -> bytes:
        """The bytes of an answer."""
        body = None if asked is None else json.dumps(asked).encode()
        request = Request(self.url + path, body, {"Content-Type": "application/json", "Accept": accept})
        content: bytes = OPENER.open(request, timeout=60).read()
        return content

    def end(self) -> float:
        """Interrupt it; the seconds that it takes to end."""
        began = time.perf_counter()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)
        return time.perf_counter() - began


def start(home: str) -> Studio:
    """Start a studio, and wait for its first answer."""
    command = [sys.executable, "-m", "cantilena", "studio", "--no-open", "--port", "0", "--home", home]
    began = time.perf_counter()
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, process_group=0)
    assert process.stderr is not None
    found = next(found for line in process.stderr if (found := re.search(r"http://\S+(?=/)", line)))
    threading.Thread(target=process.stderr.read, daemon=True).start()
    studio = Studio(process, found[0], 0.0)
    studio.ask("/api/about")
    studio.seconds = time.perf_counter() - began
    return studio


def seconds_of(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def candidates(studio: Studio, seed: int, *, events: bool) -> Any:
    """What a seed composes."""
    asked = {"bars": BARS, "seed": seed, "model": "tunes"}
    if not events:
        return json.loads(studio.ask("/api/compose", asked))["candidates"]
    text = studio.ask("/api/compose", asked, accept="text/event-stream").decode()
    return [json.loads(data) for data in re.findall(r"^event: candidate\ndata: (.*)$", text, re.MULTILINE)]


def at_once(studio: Studio) -> tuple[float, list[float], int]:
    """Fifty callers: seconds until all are answered, seconds of each, and how many answers were lost or mixed."""
    alone = [candidates(studio, seed, events=False) for seed in range(CALLERS)]
    together = threading.Barrier(CALLERS + 1)

    def call(seed: int) -> tuple[float, bool]:
        together.wait()
        began, found = time.perf_counter(), None
        with suppress(OSError):
            found = candidates(studio, seed, events=seed % 2 == 0)
        return time.perf_counter() - began, found == alone[seed]

    with ThreadPoolExecutor(CALLERS) as threads:
        answers = [threads.submit(call, seed) for seed in range(CALLERS)]
        together.wait()
        began = time.perf_counter()
        found = [answer.result() for answer in answers]
    return time.perf_counter() - began, [seconds for seconds, _ in found], sum(not good for _, good in found)


def beside_a_long_score(studio: Studio) -> tuple[float, list[float]]:
    """Seconds that a long score takes, and those of each `GET /api/models` meanwhile."""
    took: list[float] = []
    thread = threading.Thread(
        target=lambda: took.append(seconds_of(lambda: studio.ask("/api/score", {"melody": LONG})))
    )
    thread.start()
    waited = []
    while thread.is_alive():
        waited.append(seconds_of(lambda: studio.ask("/api/models")))
        time.sleep(0.01)
    return took[0], waited


def in_a_browser(studio: Studio, rounds: range) -> tuple[list[float], list[float]]:
    """Milliseconds until the page is first painted, and from the big button to four engraved melodies of eight bars."""
    from playwright.sync_api import sync_playwright

    painted, pressed = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for _ in rounds:
            page = browser.new_page(viewport={"width": 1360, "height": 900})
            page.goto(studio.url)
            page.wait_for_selector("html[data-loaded=yes]")
            painted.append(float(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")))
            began = time.perf_counter()
            page.click("#compose")
            page.wait_for_selector("article[data-ready]")
            pressed.append(1e3 * (time.perf_counter() - began))
            page.close()
        browser.close()
    return painted, pressed


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = range(parser.parse_args().rounds)
    opened, ended = [], []
    for _ in rounds:
        with tempfile.TemporaryDirectory() as home:
            studio = start(home)
            opened.append(studio.seconds)
            ended.append(studio.end())
    print(f"from the start to the first answer      {median(opened):7.2f} s")
    print(f"from Ctrl-C to the end                  {median(ended):7.2f} s")
    with tempfile.TemporaryDirectory() as home:
        studio = start(home)
        try:
            for path, asked in (
                ("/api/compose", {"bars": 1}),
                ("/api/score", {"melody": SHORT}),
                ("/api/models", None),
            ):
                studio.ask(path, asked)
            time.sleep(3)  # what is warmed up behind the page is warm
            eight = [seconds_of(lambda n=n: candidates(studio, n, events=False)) for n in rounds]  # type: ignore[misc]
            print(f"eight bars with tunes                   {1e3 * median(eight):7.0f} ms")
            scores = [seconds_of(lambda: studio.ask("/api/score", {"melody": SHORT})) for _ in range(4 * len(rounds))]
            print(f"a score of eight bars                   {1e3 * median(scores):7.0f} ms")
            models = [seconds_of(lambda: studio.ask("/api/models")) for _ in range(4 * len(rounds))]
            print(f"GET /api/models, alone                  {1e3 * median(models):7.0f} ms")
            if shutil.which("chromium"):
                painted, pressed = in_a_browser(studio, rounds)
                print(f"first paint of the page, in Chromium    {median(painted):7.0f} ms")
                print(f"  from the button to an engraved score  {median(pressed):7.0f} ms")
            whole, each, lost = at_once(studio)
            print(f"{CALLERS} callers at once, eight bars each     {whole:7.2f} s until the last")
            print(f"  the one in the middle                 {median(each):7.2f} s")
            print(f"  answers lost or mixed                 {lost:7}")
            found = [beside_a_long_score(studio) for _ in rounds]
            waited = [seconds for _, meanwhile in found for seconds in meanwhile]
            print(f"a score of 2,000 notes                  {median(took for took, _ in found):7.2f} s")
            print(f"  GET /api/models meanwhile, median     {1e3 * median(waited):7.0f} ms")
            print(f"  GET /api/models meanwhile, longest    {1e3 * max(waited):7.0f} ms")
            print(f"load average, over a minute and over five  {os.getloadavg()[0]:.1f} and {os.getloadavg()[1]:.1f}")
        finally:
            studio.end()


if __name__ == "__main__":
    main()
