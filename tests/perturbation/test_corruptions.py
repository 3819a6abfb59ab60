import numpy as np
import pytest

from moderate_cli.perturbation.corruptions import CORRUPTIONS


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("shape", [(32, 32), (90, 120), (1, 1), (1, 50), (7, 300)])
def test_a_corruption_changes_the_picture_not_its_shape(name, shape, rng):
    picture = np.full((*shape, 3), 90, dtype=np.uint8)
    picture[:, ::2] = (255, 128, 30)
    before = picture.copy()
    ruined = CORRUPTIONS[name](picture, np.random.default_rng(0))
    assert ruined.shape == picture.shape
    assert ruined.dtype == np.uint8
    assert np.array_equal(picture, before)
    again = CORRUPTIONS[name](picture, np.random.default_rng(0))
    assert np.array_equal(ruined, again)
    if min(shape) > 9:
        assert np.abs(ruined.astype(int) - picture).mean() > 10
