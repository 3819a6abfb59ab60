import numpy as np
import pytest

from moderate_cli.store.matrix import Matrix


@pytest.mark.parametrize(("shape", "dtype"), [((3, 5), np.float16), ((2000, 1280), np.float32)])
def test_rows_begin_at_a_whole_page(tmp_path, shape, dtype):
    matrix = Matrix.create(tmp_path / "m.npy", shape, dtype)
    matrix.write(np.array([0, 2]), np.ones((2, shape[1])))
    matrix.close()
    mapped = np.load(tmp_path / "m.npy", mmap_mode="r")
    assert (mapped.shape, mapped.dtype, mapped.offset % 4096) == (shape, dtype, 0)
    assert mapped[:3, 0].tolist() == [1, 0, 1]
    assert (tmp_path / "m.npy").stat().st_size == mapped.offset + mapped.nbytes
