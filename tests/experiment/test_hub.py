"""`hf://` by the real huggingface_hub, against a server of our own on this machine."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlparse

import pytest

pytest.importorskip("huggingface_hub", reason="needs huggingface_hub")

COMMIT = "a" * 40


class Hub(BaseHTTPRequestHandler):
    """As much of the Hub as one model needs: made, written in one commit, listed and read."""

    repositories: dict[str, dict[str, bytes]]

    def log_message(self, *_):
        pass

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, code, body=b"", **headers):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(code)
        for name, value in {**headers, "Content-Length": len(body)}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        parts = unquote(urlparse(self.path).path).strip("/").split("/")
        api = parts[:2] == ["api", "models"]
        name = "/".join(parts[2:4] if api else parts[:2])
        files = self.repositories.get(name)
        if files is None:
            self.answer(404, X_Error_Code="RepoNotFound")
        elif api and parts[4] == "tree":
            listed = [
                {"type": "file", "path": path, "size": len(content), "oid": digest(content)}
                for path, content in files.items()
            ]
            self.answer(200, listed)
        elif api:
            siblings = [{"rfilename": path} for path in files]
            self.answer(200, {"id": name, "modelId": name, "sha": COMMIT, "siblings": siblings})
        else:
            content = files["/".join(parts[4:])]
            self.answer(200, content, ETag=f'"{digest(content)}"', X_Repo_Commit=COMMIT)

    do_HEAD = do_GET

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        parts = urlparse(self.path).path.strip("/").split("/")
        if parts[-1] == "create":
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}"
            self.repositories[name] = {}
            self.answer(200, {"url": f"{self.address}/{name}", "id": name})
        elif parts[-1] == "validate-yaml":
            self.answer(200, {"errors": [], "warnings": []})
        elif "preupload" in parts:
            files = [f | {"uploadMode": "regular"} for f in json.loads(body)["files"]]
            self.answer(200, {"files": [f | {"shouldIgnore": False} for f in files]})
        else:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    content = base64.b64decode(line["value"]["content"])
                    self.repositories["/".join(parts[2:4])][line["value"]["path"]] = content
            url = f"{self.address}/{'/'.join(parts[2:4])}/commit/{COMMIT}"
            self.answer(200, {"commitUrl": url, "commitOid": COMMIT})


def digest(content):
    return hashlib.sha1(content).hexdigest()


@pytest.fixture
def hub(tmp_path):
    """Runs Python with a Hub of its own, whose repositories it returns."""
    handler = type("OwnHub", (Hub,), {"repositories": {}})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    names = {"HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}", "HF_TOKEN": "hf_none"}
    names |= {"HVP_CACHE_DIR": str(tmp_path / "cache"), "HF_HOME": str(tmp_path / "home")}
    names |= {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}

    def run(code):
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, env=os.environ | names, capture_output=True, text=True)
        return done, handler.repositories

    yield run
    server.shutdown()


def test_a_model_goes_there_and_comes_back(hub, tmp_path):
    folder = tmp_path / "shared"
    folder.mkdir()
    for name in ("config.yml", "weights.npz", "preset.json", "README.md"):
        (folder / name).write_bytes(f"content of {name}".encode())
    done, there = hub(
        "from pathlib import Path; from hvp.experiment.presets import find_preset, upload\n"
        f"upload(Path({str(folder)!r}), 'hf://user/digits')\n"
        "print(find_preset('hf://user/digits'))"
    )
    assert done.returncode == 0, done.stderr
    assert sorted(there["user/digits"]) == sorted(path.name for path in folder.iterdir())
    fetched = tmp_path / "cache" / done.stdout.strip().split("/cache/")[1]
    for name in ("config.yml", "weights.npz", "preset.json"):
        assert (fetched / name).read_bytes() == f"content of {name}".encode()
    assert not (fetched / "README.md").exists()


def test_what_is_not_there_is_one_line(hub):
    done, _ = hub("import sys; from hvp.__main__ import main\n"
                  "sys.exit(main(['evaluate', '--preset', 'hf://user/none']))")  # fmt: skip
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: hf://user/none: cannot be fetched (404")
    assert line.endswith("or fetch the folder yourself and name it")
