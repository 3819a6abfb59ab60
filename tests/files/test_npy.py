import io

import numpy as np
import pytest

from moderate_cli.files.npy import read_array, read_sealed, sealed


def as_npy(values):
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def test_what_is_sealed_is_an_array_as_any_other(tmp_path):
    content = sealed(as_npy(np.arange(3)), b"key")
    assert len(content) == len(as_npy(np.arange(3))) + 16
    (tmp_path / "a.npy").write_bytes(content)
    assert np.load(tmp_path / "a.npy").tolist() == [0, 1, 2]
    assert np.load(tmp_path / "a.npy", mmap_mode="r").tolist() == [0, 1, 2]
    assert read_sealed(content, b"key").tolist() == [0, 1, 2]


def test_a_seal_detects_another_key_and_any_changed_byte():
    content = sealed(as_npy(np.arange(3)), b"key")
    reason = "was changed since it was written, or belongs to another feature set"
    changed = [bytes([*content[:at], content[at] ^ 1, *content[at + 1 :]]) for at in (0, 130, -1)]
    for broken in (*changed[:2], content[:-1] + bytes([content[-1] ^ 1]), content[:-1], b""):
        with pytest.raises(ValueError, match=reason):
            read_sealed(broken, b"key")
    with pytest.raises(ValueError, match=reason):
        read_sealed(content, b"other")
    with pytest.raises(ValueError, match=reason):
        read_sealed(as_npy(np.arange(3)), b"key")


def test_lack_of_memory_for_a_complete_array_is_not_damage(monkeypatch):
    content = as_npy(np.arange(3))

    def starve(*_args, **_options):
        raise MemoryError("no memory")

    monkeypatch.setattr(np, "load", starve)
    with pytest.raises(MemoryError):
        read_array(content)
    # A header that asks for more than there is, is damaged.
    with pytest.raises(ValueError, match="no memory"):
        read_array(content[:-8])
    with pytest.raises(ValueError, match="no memory"):
        read_array(b"\x93NUMPY")
