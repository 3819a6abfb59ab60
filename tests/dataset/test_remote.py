"""Images on a real S3 server, which the tests start."""

import subprocess
import sys
import urllib.request

import numpy as np
import pytest

from moderate_cli import embed
from moderate_cli.dataset import remote, scan
from moderate_cli.errors import DatasetError

URL = "s3://bucket/train"
SET = "store/pixels-float32-float32"
SERVER = """
import moto.server, sys
server = moto.server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
server.stop()
"""
HEADERS = {
    "Content-Type": "image/png",  # without it, it would be taken for a form
    "Authorization": "AWS4-HMAC-SHA256 Credential=some/20200101/us-east-1/s3/aws4_request,"
    " SignedHeaders=host, Signature=none",
}
ACCESS = {
    "AWS_ACCESS_KEY_ID": "some",
    "AWS_SECRET_ACCESS_KEY": "thing",
    "AWS_DEFAULT_REGION": "us-east-1",
}


def put(url, content=b""):
    request = urllib.request.Request(url, content, HEADERS, method="PUT")
    with urllib.request.urlopen(request, timeout=60):
        pass


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Address of a server with an empty bucket."""
    with (tmp_path_factory.mktemp("server") / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVER],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
        )  # fmt: skip
        with process:
            address = f"http://127.0.0.1:{process.stdout.readline().strip()}"
            put(f"{address}/bucket")
            yield address
            process.stdin.close()


@pytest.fixture
def far(server, data, moderate, monkeypatch, tmp_path):
    """Run a command in a process of its own, with the shared dataset as objects at `URL`."""
    for name, value in {**ACCESS, "AWS_ENDPOINT_URL": server}.items():
        monkeypatch.setenv(name, value)
    for path in data.rglob("*.png"):
        put(f"{server}/bucket/train/{path.relative_to(data)}", path.read_bytes())
    put(f"{server}/bucket/train/cat/notes.txt", b"none")

    def run(*args):
        command = [sys.executable, "-m", "moderate_cli", *args]
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300
        )
        return done.returncode, done.stdout, done.stderr

    return run


def test_remote_images_give_the_features_of_local_ones(far, data, tmp_path):
    done = far("embed", URL, "--store", "store")
    assert done == (0, "", f"moderate: Embedded 8 images, 192 features each -> {tmp_path / SET}\n")
    here = embed(scan(data), backbone="pixels", dtype="float32", runtime="torch").folder
    for name in ("features.npy", "labels.npy", "paths.txt", "digests.npy"):
        assert (tmp_path / SET / name).read_bytes() == (here / name).read_bytes()
    done = far("select", "-r", "0.5", URL, "--store", "store")
    assert done[1] == "cat/1.png\ncat/3.png\ndog/0.png\nowl/0.png\n"


def test_only_objects_that_changed_are_read_again(far, server, data, tmp_path):
    far("embed", URL, "--store", "store")
    before = np.load(tmp_path / SET / "stats.npy")
    put(f"{server}/bucket/train/cat/1.png", (data / "cat/3.png").read_bytes())
    estimated = far("embed", URL, "--store", "store", "--dry-run")[1].splitlines()
    assert estimated[1] == "to embed     0"  # its content is known
    assert far("embed", URL, "--store", "store")[0] == 0
    changed = (np.load(tmp_path / SET / "stats.npy") != before).any(axis=1)
    assert np.flatnonzero(changed).tolist() == [1]


def test_a_network_is_trained_on_remote_images(far, tmp_path):
    fit = ("fit", URL, "--store", "store", "--network", "cnn", "--epochs", "1", "--folds", "2")
    status, _, told = far(*fit)
    assert (status, f"Fitted cnn to 8 images -> {tmp_path}/store/fitted/" in told) == (0, True), (
        told
    )
    args = ("select", "-r", "0.5", URL, "--store", "store", "--backbone", "fitted")
    status, kept, told = far(*args, "--criterion", "fitted-aum", "-j", "1")
    assert (status, len(kept.splitlines())) == (0, 4), told
    # Without a store nothing is read.
    status, _, told = far("fit", URL)
    assert (status, told) == (
        2, "moderate: error: bucket/train: is remote; pass --store DIR for its features\n"
    )  # fmt: skip


def test_a_remote_dataset_needs_a_store(far):
    told = "moderate: error: bucket/train: is remote; pass --store DIR for its features\n"
    assert far("embed", URL) == (2, "", told)


def test_remote_images_are_not_copied(far, tmp_path):
    status, _, told = far("select", "-r", "0.5", URL, "--store", "store", "--copy-to", "out")
    assert status == 2
    assert told == (
        "moderate: error: --copy-to needs images on this machine; -o lists the kept ones"
        " (see 'moderate select --help')\n"
    )
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (
            "s3://bucket/nothing",
            "contains no images; pass the folder that contains the class folders",
        ),
        ("s3://nowhere/train", "cannot be listed ("),
        ("odd://bucket", "cannot be listed ("),
        (
            "s3://bucket/train/cat/0.png",
            "is a single object; pass the folder that contains the class folders",
        ),
        ("ftp://", "needs more than a URL; mount it, or use s3:// or gs://"),
        ("ftp://host/train", "needs more than a URL; mount it, or use s3:// or gs://"),
        ("webhdfs://host", "needs more than a URL; mount it, or use s3:// or gs://"),
        ("zip://a.zip", "cannot be listed ("),
        ("memory://", "the server reports no sizes or full paths, which are needed"),
    ],
)
def test_what_cannot_be_listed_is_one_line(far, url, message):
    status, _, told = far("embed", url, "--store", "store")
    assert status == 1
    assert told.startswith(f"moderate: error: {url}: {message}")
    assert len(told.splitlines()) == 1


def test_want_of_memory_makes_no_object_unreadable(monkeypatch):
    class Full:
        def cat_file(self, _name):
            raise MemoryError

    monkeypatch.setattr(remote, "file_system", lambda _protocol: Full())
    with pytest.raises(MemoryError):
        remote.Remote("s3", {}).read("bucket/1.png")


def test_the_extra_is_advised_only_for_its_protocols(monkeypatch):
    def missing(_protocol):
        raise ImportError("Install huggingface_hub to access HfFileSystem")

    monkeypatch.setattr(remote, "file_system", missing)
    for url, advice in (("abfs://x", ""), (URL, "; pip install 'moderate-cli[remote]'")):
        with pytest.raises(DatasetError) as caught:
            scan(url)
        assert str(caught.value) == (
            f"{url}: needs a package that is not installed (Install huggingface_hub to access"
            f" HfFileSystem){advice}"
        )


def test_without_fsspec_the_line_says_how_to_install_it(monkeypatch):
    remote.file_system.cache_clear()
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(DatasetError) as caught:
        scan(URL)
    assert str(caught.value).endswith("; pip install 'moderate-cli[remote]'")


class Listed:
    """A file system that has these names, each with one byte."""

    def __init__(self, *names):
        self.names = names

    def _strip_protocol(self, url):
        return url.partition("://")[2]

    def find(self, root, detail):
        assert detail
        return {f"{root}/{name}": {"size": 1} for name in self.names}


def test_a_remote_listing_ignores_the_same_files_as_a_local_one(tmp_path, monkeypatch):
    names = (
        "a/1.jpg", "a/._1.jpg", "a/2.gif", "a/3.jxl", "a/x.md", "a/.x/9.jpg", "a/.y/9.txt",
        "a/deep/4.JPG", "a/deep/4.jpg", "a/deep/@eaDir/4.jpg/9.jpg", "b/1.jpg", "b/c-d/1.jpg",
        "b/c/1.jpg", "B/1.png", "__MACOSX/a/._1.jpg", ".git/HEAD", "stray.jpg", ".DS_Store",
        "empty/notes.txt",
    )  # fmt: skip
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.setattr(remote, "file_system", lambda _protocol: Listed(*names))
    far, here = scan("s3://bucket/data"), scan(tmp_path)
    assert list(far.paths) == list(here.paths) == [
        "B/1.png", "a/1.jpg", "a/2.gif", "a/deep/4.JPG", "a/deep/4.jpg", "b/1.jpg", "b/c/1.jpg",
        "b/c-d/1.jpg",
    ]  # fmt: skip
    assert far.classes == here.classes == ("B", "a", "b", "empty")
    assert far.labels.tolist() == here.labels.tolist()
    assert far.notices == here.notices
    assert len(far.notices) == 12
    assert far.source.stat("bucket/data/a/2.gif")[0] == 1


def test_a_remote_folder_without_class_folders_is_of_one_class(monkeypatch):
    monkeypatch.setattr(
        remote, "file_system", lambda _protocol: Listed("2.jpg", "1.gif", "labels.csv", ".x/1.jpg")
    )
    dataset = scan("s3://bucket/data")
    assert (list(dataset.paths), dataset.flat) == (["1.gif", "2.jpg"], True)
    assert [notice.kind for notice in dataset.notices] == ["folder", "more", "labels"]
