"""A hub of our own on this machine, which speaks the few words of the real one that are needed."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import huggingface_hub
import huggingface_hub.constants
import pytest

TOKEN = "hf_notarealtoken"


@dataclass
class Repository:
    """What the hub holds of a model: its files by commit, and its branches."""

    private: bool = False
    gated: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)

    def add(self, files: dict[str, bytes], branch: str = "main") -> str:
        before = self.commits.get(self.refs.get(branch, ""), {})
        commit = hashlib.sha1(f"{len(self.commits)}{sorted(files)}".encode()).hexdigest()
        self.commits[commit] = before | files
        self.refs[branch] = commit
        return commit


class FakeHub:
    """A server on 127.0.0.1 that knows repositories, and what was asked of it."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.asked: list[str] = []
        self.stored: dict[str, bytes] = {}
        self.sizes: dict[str, int | None] = {}
        self.broken: int | None = None
        self.large_files = False
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def new_repository(self, **kinds: bool) -> Repository:
        return Repository(**kinds)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def fetched(self) -> list[str]:
        """The paths whose content was asked for."""
        return [line.split()[1] for line in self.asked if line.startswith("GET ") and "/resolve/" in line]


def _handler(hub: FakeHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.answer()

        do_GET = do_POST = do_PUT = do_HEAD  # noqa: N815  (the server looks for these names)

        def answer(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = unquote(urlsplit(self.path).path)
            hub.asked.append(f"{self.command} {path}")
            if hub.broken is not None:
                return self.say(hub.broken, {"error": "no"})
            signed_in = self.headers.get("Authorization") == f"Bearer {TOKEN}"
            if match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/(.+?)/([^/]+)", path):
                return self.resolve(*match.groups(), signed_in=signed_in)
            if match := re.fullmatch(r"/store/(\w+)", path):
                hub.stored[match[1]] = content
                return self.say(200, {})
            if path.startswith("/api/agent-harnesses"):
                return self.say(404, {})
            if not signed_in:
                return self.say(401, {"error": "Invalid username or password."})
            if path == "/api/validate-yaml":
                return self.validate(json.loads(content)["content"])
            if path == "/api/repos/create":
                return self.create(json.loads(content))
            if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)", path):
                return self.info(match[1])
            if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/preupload/main", path):
                return self.preupload(json.loads(content))
            if match := re.fullmatch(r"/([^/]+/[^/]+)\.git/info/lfs/objects/batch", path):
                return self.batch(json.loads(content))
            if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/main", path):
                return self.commit(match[1], [json.loads(line) for line in content.splitlines()])
            return self.say(404, {"error": "Not found"})

        def resolve(self, name: str, revision: str, file: str, *, signed_in: bool) -> None:
            repository = hub.repositories.get(name)
            if repository is None or (repository.private and not signed_in):
                return self.say(401, {"error": "no"}, {"X-Error-Code": "RepoNotFound"})
            if repository.gated:
                return self.say(403, {"error": "gated"}, {"X-Error-Code": "GatedRepo"})
            commit = repository.refs.get(revision, revision)
            if commit not in repository.commits:
                return self.say(404, {"error": "no"}, {"X-Error-Code": "RevisionNotFound"})
            held = repository.commits[commit].get(file)
            told = {"X-Repo-Commit": commit}
            if held is None:
                return self.say(404, {"error": "no"}, told | {"X-Error-Code": "EntryNotFound"})
            told["ETag"] = f'"{hashlib.sha256(held).hexdigest()}"'
            size = hub.sizes.get(name, len(held))
            if size is not None:
                told["X-Linked-Size"] = str(size)
            return self.send(200, held, told, length=name not in hub.sizes)

        def validate(self, card: str) -> None:
            """The front matter is YAML and names a licence, as the real one asks."""
            wrong = [] if huggingface_hub.ModelCard(card).data.license else [{"message": '"license" is missing'}]
            return self.say(400 if wrong else 200, {"errors": wrong, "warnings": []})

        def create(self, asked: dict[str, Any]) -> None:
            name = f"{asked['organization']}/{asked['name']}"
            url = f"{hub.url}/{name}"
            if name in hub.repositories:
                return self.say(409, {"error": "You already created this model repo", "url": url})
            hub.repositories[name] = Repository(private=asked.get("visibility") == "private")
            return self.say(200, {"url": url})

        def info(self, name: str) -> None:
            if name not in hub.repositories:
                return self.say(404, {"error": "no"}, {"X-Error-Code": "RepoNotFound"})
            repository = hub.repositories[name]
            files = repository.commits.get(repository.refs.get("main", ""), {})
            siblings = [{"rfilename": file} for file in files]
            return self.say(200, {"id": name, "private": repository.private, "siblings": siblings, "tags": []})

        def preupload(self, asked: dict[str, Any]) -> None:
            def mode(path: str) -> str:
                return "lfs" if hub.large_files and path.endswith(".safetensors") else "regular"

            files = [
                {"path": file["path"], "uploadMode": mode(file["path"]), "shouldIgnore": False}
                for file in asked["files"]
            ]
            return self.say(200, {"files": files})

        def batch(self, asked: dict[str, Any]) -> None:
            def action(one: dict[str, Any]) -> dict[str, Any]:
                return one | {"actions": {"upload": {"href": f"{hub.url}/store/{one['oid']}"}}}

            return self.say(200, {"transfer": "basic", "objects": [action(one) for one in asked["objects"]]})

        def commit(self, name: str, lines: list[dict[str, Any]]) -> None:
            files = {}
            for line in lines[1:]:
                value = line["value"]
                content = hub.stored[value["oid"]] if line["key"] == "lfsFile" else base64.b64decode(value["content"])
                files[value["path"]] = content
            commit = hub.repositories[name].add(files)
            return self.say(
                200, {"success": True, "commitOid": commit, "commitUrl": f"{hub.url}/{name}/commit/{commit}"}
            )

        def say(self, status: int, value: dict[str, Any], headers: dict[str, str] | None = None) -> None:
            self.send(status, json.dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})})

        def send(self, status: int, content: bytes, headers: dict[str, str], *, length: bool = True) -> None:
            self.send_response(status)
            for key, text in headers.items():
                self.send_header(key, text)
            if length:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

    return Handler


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeHub]:
    """The hub, and a home without a token or anything fetched."""
    served = FakeHub()
    monkeypatch.setenv("HF_ENDPOINT", served.url)
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    constants = huggingface_hub.constants
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr(constants, "HF_STORED_TOKENS_PATH", str(tmp_path / "tokens"))
    monkeypatch.setattr("huggingface_hub.utils._detect_agent._registry", {"standardEnvVars": [], "harnesses": {}})
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # its uploads go to servers that we do not play
    look_up = socket.getaddrinfo

    def only_here(host: Any, *rest: Any, **named: Any) -> Any:
        assert host in ("127.0.0.1", b"127.0.0.1"), f"a test asks {host}"
        return look_up(host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", only_here)
    yield served
    served.close()
    huggingface_hub.close_session()


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> str:
    """Signed in."""
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    return TOKEN
