import os
import threading

import numpy as np
import pytest
import torch
from shown import without_closing

from moderate_cli.dataset.sources import NotAFile, read_file
from moderate_cli.files.regular import open_regular, read_once, read_regular


@pytest.fixture
def pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def refusal(read, *args):
    with pytest.raises(OSError, match=r"(?i)is ") as caught:
        read(*args)
    return caught.value.strerror


def test_a_file_that_is_not_regular_is_refused_at_once(pipe, tmp_path):
    for path in (pipe, "/dev/null", "/dev/zero"):
        assert refusal(open_regular, path) == "is not a regular file"
    assert refusal(open_regular, tmp_path) == "Is a directory"
    (tmp_path / "file").write_bytes(b"content")
    assert read_regular(tmp_path / "file") == b"content"


def test_a_pipe_is_read_once_if_somebody_writes_to_it(pipe):
    waits = []
    assert refusal(read_once, pipe, waits.append) == "is a pipe without a writer"
    writer = threading.Thread(target=pipe.write_bytes, args=(b"a" * 100_000,))
    writer.start()
    assert read_once(pipe, waits.append) == b"a" * 100_000
    writer.join()
    assert waits == []


def test_a_writer_that_is_late_is_waited_for_with_a_word(pipe):
    told = threading.Event()

    def write():
        with pipe.open("wb") as file:
            assert told.wait(60)
            file.write(b"late")

    writer = threading.Thread(target=write)
    writer.start()
    assert read_once(pipe, told.set) == b"late"
    writer.join()


def test_of_devices_only_the_null_device_is_read_once(tmp_path):
    assert read_once(os.devnull, print) == b""
    assert refusal(read_once, "/dev/zero", print) == "is not a regular file"
    assert refusal(read_once, tmp_path, print) == "Is a directory"


def test_no_command_waits_for_a_pipe_where_a_file_is_read(embedded, moderate, pipe, tmp_path):
    np.save(tmp_path / "x.npy", np.ones((3, 2)))
    torch.save({}, tmp_path / "weights.pt")
    for args, status, line in (
        (
            ("--features", pipe, "--labels", "kmeans:2"),
            1,
            "is not a regular file; pass a .npy file",
        ),
        (("--scores", pipe), 1, "is not a regular file; pass a .npy file"),
        (
            ("--features", tmp_path / "x.npy", "--labels", pipe),
            1,
            "is not a regular file; pass a .npy file",
        ),
        (
            ("--weights", pipe, "--backbone", "resnet18", embedded),
            1,
            "is not a regular file; name a weights file",
        ),
        (
            ("--config", pipe, embedded),
            2,
            "is a pipe without a writer; bundled presets: cpu, gpu, noisy-labels,"
            " paper, released-code (see 'moderate select --help')",
        ),
    ):
        done = moderate("select", "-r", "0.5", *args)
        assert done == (status, "", f"moderate: error: {pipe}: {line}\n")
    done = moderate(
        "perturb", embedded, "-o", tmp_path / "o", "--attack", "fgsm", "--weights", pipe
    )
    line = "is not a regular file; name a weights file"
    assert done == (1, "", f"moderate: error: {pipe}: {line}\n")


def test_a_config_may_come_out_of_a_pipe(embedded, shell):
    line = "moderate select data/train --config"
    expected = shell(f"{line} <(echo 'ratio = 1')")
    assert (expected.status, expected.stdout.count("\n")) == (0, 8)
    assert without_closing(expected.stderr) == ""
    assert shell(f"echo 'ratio = 1' | {line} /dev/stdin") == expected
    assert shell(f"{line} /dev/stdin <<< 'ratio = 1'") == expected
    assert shell(f"{line} /dev/null -r 1") == expected


def test_a_pipe_in_a_store_is_not_waited_for(embedded, moderate):
    folder = embedded.with_name("train.moderate") / "pixels-float32-float32"
    assert moderate("score", embedded).status == 0
    for name in sorted(os.listdir(folder)):
        content = (folder / name).read_bytes()
        (folder / name).unlink()
        os.mkfifo(folder / name)
        for command in ("info", "score"):
            done = moderate(command, embedded)
            assert done.stderr.count("\n") == (done.status != 0), (command, name, done)
        (folder / name).unlink()
        (folder / name).write_bytes(content)


def test_an_image_that_is_a_folder_leaves_no_file_open(tmp_path):
    before = len(os.listdir("/dev/fd"))
    for _ in range(3):
        with pytest.raises(NotAFile, match="is not a regular file"):
            read_file(os.fspath(tmp_path))
    assert len(os.listdir("/dev/fd")) == before
