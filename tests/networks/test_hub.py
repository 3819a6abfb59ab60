"""Weights are downloaded from a server that stands in for the hub, and kept."""

import gc
import hashlib
import http.server
import os
import socket
import threading
import warnings

import pytest
from huggingface_hub import close_session, constants

from moderate_cli.errors import WeightsError
from moderate_cli.networks import hub
from moderate_cli.networks.hub import hub_file, url_file

REPOSITORY = "timm/some_model"
BOTH = ("model.safetensors", "pytorch_model.bin")


class Handler(http.server.BaseHTTPRequestHandler):
    files: dict[str, bytes] = {}  # noqa: RUF012 - of one test
    asked: list[str] = []  # noqa: RUF012

    def answer(self, *, body):
        self.asked.append(f"{self.command} {self.path}")
        content = self.files.get(self.path)
        self.send_response(200 if content is not None else 404)
        if content is None:
            self.send_header("X-Error-Code", "EntryNotFound")
        else:
            self.send_header("ETag", '"0123456789abcdef"')
        self.send_header("X-Repo-Commit", "1a2b")
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        if body and content:
            self.wfile.write(content)

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def log_message(self, *_args):
        pass


@pytest.fixture
def server(weights_caches, monkeypatch):
    """The address of a server, whose files are in `Handler.files`."""
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    address = f"http://127.0.0.1:{made.server_address[1]}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(
        constants,
        "HUGGINGFACE_CO_URL_TEMPLATE",
        address + "/{repo_id}/resolve/{revision}/{filename}",
    )
    monkeypatch.setattr(Handler, "files", {})
    monkeypatch.setattr(Handler, "asked", [])
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield address
    close_session()
    made.shutdown()
    thread.join()
    made.server_close()
    with warnings.catch_warnings():  # of sockets that the client leaves, not in a later test
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.mark.parametrize("file", BOTH)
def test_the_first_file_that_a_repository_has_is_downloaded_once(server, file):
    Handler.files[f"/{REPOSITORY}/resolve/main/{file}"] = b"weights"
    assert hub_file("timm:some_model", REPOSITORY, BOTH, load=False) is None
    path = hub_file("timm:some_model", REPOSITORY, BOTH)
    assert (path.name, path.read_bytes()) == (file, b"weights")
    asked = len(Handler.asked)
    assert asked > 0
    assert hub_file("timm:some_model", REPOSITORY, BOTH) == path
    assert hub_file("timm:some_model", REPOSITORY, BOTH, load=False) == path
    assert len(Handler.asked) == asked  # no request, not even for a newer one


def test_a_repository_without_weights_is_named(server):
    with pytest.raises(WeightsError) as caught:
        hub_file("timm:some_model", REPOSITORY, BOTH)
    assert str(caught.value) == (
        "timm:some_model: its weights cannot be downloaded (has no model.safetensors or"
        f" pytorch_model.bin); download {server}/{REPOSITORY}/resolve/main/model.safetensors"
        " elsewhere, and pass it as --weights FILE"
    )


def test_the_file_of_a_url_is_downloaded_once(server, weights_caches):
    Handler.files["/releases/some-0123.pth"] = b"weights"
    url = f"{server}/releases/some-0123.pth"
    assert url_file("timm:some", url, load=False) is None
    path = url_file("timm:some", url)
    assert path == weights_caches / "torch" / "hub" / "checkpoints" / "some-0123.pth"
    assert path.read_bytes() == b"weights"
    assert url_file("timm:some", url) == path
    assert Handler.asked == ["GET /releases/some-0123.pth"]
    with pytest.raises(WeightsError) as caught:
        url_file("timm:other", f"{server}/other.pth")
    assert str(caught.value) == (
        "timm:other: its weights cannot be downloaded (HTTP Error 404: Not Found); download"
        f" {server}/other.pth elsewhere, and pass it as --weights FILE"
    )
    assert os.listdir(path.parent) == [path.name]  # nothing incomplete


def test_a_download_with_other_digits_than_its_name_is_refused(server):
    url = f"{server}/some-01234567.pth"
    Handler.files["/some-01234567.pth"] = b"weights"
    with pytest.raises(WeightsError, match=r"invalid hash value"):
        url_file("resnet18", url, hashed=True)
    digits = hashlib.sha256(b"weights").hexdigest()[:8]
    Handler.files[f"/some-{digits}.pth"] = b"weights"
    path = url_file("resnet18", f"{server}/some-{digits}.pth", hashed=True)
    assert os.listdir(path.parent) == [path.name]


def test_a_user_who_works_offline_is_not_asked_to_have_a_network(server, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsError, match=r"\(HF_HUB_OFFLINE is set\)"):
        hub_file("timm:some_model", REPOSITORY, BOTH)
    assert Handler.asked == []


def test_a_proxy_is_left_to_know_the_server(monkeypatch):
    calls = []
    monkeypatch.setattr(socket, "create_connection", lambda *args: calls.append(args) or Closed())
    monkeypatch.setattr(hub, "getproxies", lambda: {"https": "http://proxy:3128"})
    hub._reach("https://huggingface.co")
    assert calls == []
    hub._reach("http://127.0.0.1:8080/x")
    hub._reach("http://mirror/x")
    assert calls == [(("127.0.0.1", 8080), 5.0), (("mirror", 80), 5.0)]


class Closed:
    def close(self):
        pass
