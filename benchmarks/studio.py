"""Measure how fast the studio responds: after its start, for eight bars, to fifty clients, and beside a long score.

    python benchmarks/studio.py [--rounds 5]

Runs `cantilena studio` with a data folder of its own, and sends requests over HTTP. The fifty clients send theirs at
the same time, each with another seed, half of them for event streams; every response is compared with that of the same
seed alone. The long score has 2,000 notes in 188 bars; while it is engraved, `GET /api/models` is requested repeatedly.
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

CLIENTS, BARS = 50, 8
LONG = {"notes": [{"onset": 9 * n, "duration": 9, "pitches": [60 + 7 * n % 12]} for n in range(2000)]}
SHORT = {"notes": [{"onset": 12 * n, "duration": 12, "pitches": [60 + 7 * n % 12]} for n in range(64)]}
OPENER = build_opener(ProxyHandler({}))


@dataclass
class Studio:
    """A studio in a process of its own."""

    process: subprocess.Popen[str]
    url: str
    seconds: float

    def request(self, path: str, body: Any = None, *, accept: str = "application/json") -> bytes:
        """Send a request, and return the body of the response."""
        data = None if body is None else json.dumps(body).encode()
        request = Request(self.url + path, data, {"Content-Type": "application/json", "Accept": accept})
        content: bytes = OPENER.open(request, timeout=60).read()
        return content

    def end(self) -> float:
        """Interrupt it, and return the seconds until it has ended."""
        started = time.perf_counter()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)
        return time.perf_counter() - started


def start(home: str) -> Studio:
    """Start a studio, and wait for its first response."""
    command = [sys.executable, "-m", "cantilena", "studio", "--no-open", "--port", "0", "--home", home]
    started = time.perf_counter()
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, process_group=0)
    assert process.stderr is not None
    found = next(found for line in process.stderr if (found := re.search(r"http://\S+(?=/)", line)))
    threading.Thread(target=process.stderr.read, daemon=True).start()
    studio = Studio(process, found[0], 0.0)
    studio.request("/api/about")
    studio.seconds = time.perf_counter() - started
    return studio


def seconds_of(call: Callable[[], object]) -> float:
    """Return the wall time of a call."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def candidates(studio: Studio, seed: int, *, events: bool) -> Any:
    """Return the candidates of a seed."""
    body = {"bars": BARS, "seed": seed, "model": "tunes"}
    if not events:
        return json.loads(studio.request("/api/compose", body))["candidates"]
    text = studio.request("/api/compose", body, accept="text/event-stream").decode()
    return [json.loads(data) for data in re.findall(r"^event: candidate\ndata: (.*)$", text, re.MULTILINE)]


def at_once(studio: Studio) -> tuple[float, list[float], int]:
    """Return the seconds for all clients, those of each, and how many responses were lost or mixed up."""
    alone = [candidates(studio, seed, events=False) for seed in range(CLIENTS)]
    barrier = threading.Barrier(CLIENTS + 1)

    def client(seed: int) -> tuple[float, bool]:
        barrier.wait()
        started, found = time.perf_counter(), None
        with suppress(OSError):
            found = candidates(studio, seed, events=seed % 2 == 0)
        return time.perf_counter() - started, found == alone[seed]

    with ThreadPoolExecutor(CLIENTS) as threads:
        answers = [threads.submit(client, seed) for seed in range(CLIENTS)]
        barrier.wait()
        started = time.perf_counter()
        found = [answer.result() for answer in answers]
    return time.perf_counter() - started, [seconds for seconds, _ in found], sum(not good for _, good in found)


def beside_a_long_score(studio: Studio) -> tuple[float, list[float]]:
    """Return the seconds for a long score, and those of each `GET /api/models` meanwhile."""
    took: list[float] = []
    thread = threading.Thread(
        target=lambda: took.append(seconds_of(lambda: studio.request("/api/score", {"melody": LONG})))
    )
    thread.start()
    waited = []
    while thread.is_alive():
        waited.append(seconds_of(lambda: studio.request("/api/models")))
        time.sleep(0.01)
    return took[0], waited


def in_a_browser(studio: Studio, rounds: range) -> tuple[list[float], list[float]]:
    """Return the milliseconds to the first paint, and from the click on Compose to an engraved score."""
    from playwright.sync_api import sync_playwright

    painted, engraved = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for _ in rounds:
            page = browser.new_page(viewport={"width": 1360, "height": 900})
            page.goto(studio.url)
            page.wait_for_selector("html[data-loaded=yes]")
            painted.append(float(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")))
            started = time.perf_counter()
            page.click("#compose")
            page.wait_for_selector("article[data-ready]")
            engraved.append(1e3 * (time.perf_counter() - started))
            page.close()
        browser.close()
    return painted, engraved


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = range(parser.parse_args().rounds)
    opened, ended = [], []
    for _ in rounds:
        with tempfile.TemporaryDirectory() as home:
            studio = start(home)
            opened.append(studio.seconds)
            ended.append(studio.end())
    show("from the start to the first response", opened)
    show("from Ctrl-C to the end", ended)
    with tempfile.TemporaryDirectory() as home:
        studio = start(home)
        try:
            measure(studio, rounds)
        finally:
            studio.end()


def measure(studio: Studio, rounds: range) -> None:
    """Measure a running studio, and print the results."""
    warm_up: tuple[tuple[str, Any], ...] = (
        ("/api/compose", {"bars": 1}),
        ("/api/score", {"melody": SHORT}),
        ("/api/models", None),
    )
    for path, body in warm_up:
        studio.request(path, body)
    time.sleep(3)  # until the studio's own warm-up is over
    many = range(4 * len(rounds))
    show("eight bars with tunes", [seconds_of(lambda n=n: candidates(studio, n, events=False)) for n in rounds])  # type: ignore[misc]
    show("a score of eight bars", [seconds_of(lambda: studio.request("/api/score", {"melody": SHORT})) for _ in many])
    show("GET /api/models, alone", [seconds_of(lambda: studio.request("/api/models")) for _ in many])
    if shutil.which("chromium"):
        painted, engraved = in_a_browser(studio, rounds)
        print(f"{'first paint of the page, in Chromium':<44} {median(painted):7.0f} ms")
        print(f"{'  from the click to an engraved score':<44} {median(engraved):7.0f} ms")
    last, each, lost = at_once(studio)
    show(f"{CLIENTS} clients at once, eight bars each: the last", [last])
    show("  the median client", each)
    print(f"{'  responses that were lost or mixed up':<44} {lost:7}")
    found = [beside_a_long_score(studio) for _ in rounds]
    meanwhile = [seconds for _, waited in found for seconds in waited]
    show("a score of 2,000 notes", [seconds for seconds, _ in found])
    show("  GET /api/models meanwhile, median", meanwhile)
    show("  GET /api/models meanwhile, longest", [max(meanwhile)])
    print("load average of one and of five minutes: {:.1f} and {:.1f}".format(*os.getloadavg()))


def show(label: str, seconds: list[float]) -> None:
    """Print a median, in seconds or milliseconds."""
    value = median(seconds)
    print(f"{label:<44} {value:7.2f} s" if value >= 0.2 else f"{label:<44} {1e3 * value:7.0f} ms")


if __name__ == "__main__":
    main()
