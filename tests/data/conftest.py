"""Fixtures of the data tests: the real files where they are, an empty machine, and a local download server."""

from __future__ import annotations

import http.server
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from spikeseq.data import load, load_speech, sources

SPEECH = ("timit", "librispeech")
REAL = Path(os.environ.get(sources.ENVIRONMENT_VARIABLE) or Path(__file__).parents[3] / "shared" / "data")


@pytest.fixture(scope="session")
def real_folder() -> Callable[[str], Path]:
    """A function: name of a data set -> the folder of its real files; skips where they are not to be had."""

    def folder(dataset: str) -> Path:
        if not (REAL / dataset).is_dir():
            pytest.skip(f"needs the real {dataset}: set {sources.ENVIRONMENT_VARIABLE} or provide {REAL}")
        return REAL / dataset

    return folder


@pytest.fixture(scope="session")
def load_real(real_folder: Callable[[str], Path]) -> Callable[..., Any]:
    """``load``, but from the real files only; each combination of options is loaded once. ``folder``: where they lie, if
    not in one of the data set's name."""
    loaded: dict[str, Any] = {}

    def load_once(name: str, *, folder: str | None = None, **options: object) -> Any:
        key = repr((name, sorted(options.items())))
        if key not in loaded:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv(sources.ENVIRONMENT_VARIABLE, str(real_folder(folder or name).parent))
                loaded[key] = (load_speech if name in SPEECH else load)(name, **options)
        return loaded[key]

    return load_once


class Server(http.server.ThreadingHTTPServer):
    """Serves ``content`` at every path, but only the first ``sent`` bytes of it before it hangs up."""

    content = b""
    sent: int | None = None
    requests = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/file"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.requests += 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.content)))
        self.end_headers()
        self.wfile.write(self.server.content[: self.server.sent])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()
