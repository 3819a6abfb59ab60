"""Files refused before a pixel is decoded, and warnings of C libraries about damage."""

import io
import time

import numpy as np
import pytest
from picture_files import decode
from PIL import Image

from moderate_cli.images.opening import UnreadableImage

MEGABYTE = 1_000_000


@pytest.mark.parametrize(
    "content",
    [
        b"P5\n#" + 10 * MEGABYTE * b"x" + b"\n2 1\n255\n\1\2",
        b"P6\n" + 2 * MEGABYTE * b"#\n" + b"2 1\n255\n\1\1\1\2\2\2",
        b"P4\n8 " + 10 * MEGABYTE * b" " + b"1\n\1",
        b"P5\n2 1\n" + 10 * MEGABYTE * b"\n" + b"255\n\1\2",
        b"Pf\n#" + 10 * MEGABYTE * b"x",
        b"P2\n2 1\n" + 10 * MEGABYTE * b"\n" + b"255\n1 2",
    ],
    ids=["one comment", "many comments", "spaces", "lines", "nothing else", "text"],
)
def test_a_header_of_megabytes_is_refused_at_once(content):
    start = time.process_time()
    with pytest.raises(UnreadableImage) as caught:
        decode(content)
    assert str(caught.value) == "has a header of more than 64 KB"
    assert time.process_time() - start < 2  # 10 MB took a minute


@pytest.mark.parametrize(
    ("content", "levels"),
    [
        (b"P5\n#" + 60_000 * b"x" + b"\n2 1\n255\n\1\2", [1, 2]),
        (b"P5 300 300 32\n" + 90_000 * b" ", 90_000 * [255]),  # 32 of 32 is a blank in ASCII
        (b"P4\n8 9000\n" + 9000 * b" ", 9000 * [255, 255, 0, 255, 255, 255, 255, 255]),
        (b"P2\n2 1\n255\n#" + 10 * MEGABYTE * b"x" + b"\n1 2", [1, 2]),
        (b"P2 #a\n2 1 #b\n255\n#c\n1 #d\n2\n", [1, 2]),
        (b"P2\n2 1\n255\n" + MEGABYTE * b"#\n" + b"1 2", [1, 2]),
        (b"P1\n2 1\n" + MEGABYTE * b"#\n" + b"1 0", [0, 255]),
    ],
    ids=["a long comment", "blanks as gray", "blanks as bits", "P2", "short ones", "many", "P1"],
)
def test_comments_and_blanks_that_take_no_time_are_read(content, levels):
    start = time.process_time()
    assert decode(content)[0].flatten().tolist() == levels
    assert time.process_time() - start < 2  # a million comments took half a minute


@pytest.mark.parametrize("start", [b"%!PS-Adobe-3.0 EPSF-3.0\n", b"\xc5\xd0\xd3\xc6\x1e\0\0\0"])
def test_postscript_is_not_even_parsed(start, monkeypatch):
    monkeypatch.setattr(Image, "open", None)
    with pytest.raises(UnreadableImage) as caught:
        decode(start + MEGABYTE * b"%%x\n")
    assert str(caught.value) == "is PostScript, a program that Ghostscript would run"


def damaged(kind, junk, **options):
    noise = Image.effect_noise((300, 200), 90).convert("RGB")
    buffer = io.BytesIO()
    (noise.convert("1") if options.get("compression") == "group4" else noise).save(
        buffer, kind, **options
    )
    content = buffer.getvalue()
    middle = len(content) // 2
    return content[:middle] + junk + content[middle + len(junk) :]


DAMAGED = {
    "a.jpg": damaged("JPEG", bytes(200)),
    "b.jpg": damaged("JPEG", 9 * b"\xff\xd9"),
    "c.tif": damaged("TIFF", 100 * b"\xff\xc5", compression="jpeg"),
    "d.tif": damaged("TIFF", bytes(200), compression="jpeg"),
    "e.tif": damaged("TIFF", 100 * b"\xff\xd9", compression="tiff_lzw"),
    "f.tif": damaged("TIFF", 100 * b"\xff\xd9", compression="tiff_adobe_deflate"),
    "g.tif": damaged("TIFF", 20 * b"\xff\xd9", compression="group4"),
}


def test_c_libraries_print_no_nameless_lines(tmp_path, shell):
    (tmp_path / "data" / "cat").mkdir(parents=True)
    for name, content in DAMAGED.items():
        (tmp_path / "data" / "cat" / name).write_bytes(content)
    done = shell("moderate embed --on-error skip data")
    assert done.status == 0
    said = done.stderr.replace("\r", "\n").splitlines()
    assert [line for line in said if line and not line.startswith("moderate: ")] == []


PRINTING = """
import ctypes, os, sys
from moderate_cli.images.quiet import without_warnings
library = ctypes.CDLL(None)
def say(text):
    stream = ctypes.c_void_p.in_dll(library, "stderr")
    library.fprintf(stream, text)
    library.fflush(stream)
say(b"before\\n")
with without_warnings():
    say(b"within\\n")
    with without_warnings():
        say(b"deeper\\n")
    say(b"still within\\n")
    print("Python", file=sys.stderr, flush=True)
    os.write(2, b"descriptor\\n")
say(b"after\\n")
"""


def test_only_c_is_quiet_and_only_while_images_are_decoded(shell, tmp_path):
    (tmp_path / "p.py").write_text(PRINTING)
    done = shell("python p.py")
    assert done.stderr == "before\nPython\ndescriptor\nafter\n"


def test_two_blocks_that_overlap_leave_stderr_as_it_was():
    from moderate_cli.images.quiet import _c_stderr, _quiet_libraries

    pointer, loud, null = _c_stderr()
    first, second = _quiet_libraries(), _quiet_libraries()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert pointer.value == null
    second.__exit__(None, None, None)
    assert pointer.value == loud


def test_an_error_of_pil_is_a_reason_and_lack_of_memory_is_not():
    from moderate_cli.images.opening import opened

    picture = io.BytesIO()
    Image.fromarray(np.zeros((3, 3), np.uint8)).save(picture, "PNG")
    with (
        pytest.raises(UnreadableImage, match=r"^cannot decode \(torn in two\)$"),
        opened(picture.getvalue()),
    ):
        raise ValueError("torn\nin two")
    with pytest.raises(MemoryError), opened(picture.getvalue()):
        raise MemoryError
