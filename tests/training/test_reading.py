import gc
import threading

import numpy as np
import pytest
import torch

from moderate_cli.dataset import scan
from moderate_cli.images.preprocessing import read_image
from moderate_cli.networks.table import Preprocessing
from moderate_cli.training import reading
from moderate_cli.training.reading import read_blocks

SMALL = Preprocessing(8, 8, "bilinear", (0.0,) * 3, (255.0,) * 3)
MOST = 10_000  # pixels


def expected(root, paths):
    return [read_image(f"{root}/{path}", SMALL).pixels for path in paths]


@pytest.fixture
def processes(monkeypatch):
    """Crews that were hired, also for few images."""
    hired = []

    class Crew(reading.Crew):
        def __init__(self, *args):
            super().__init__(*args)
            self.wait()
            hired.append(self)

    monkeypatch.setattr(reading, "LEAST_IMAGES", 1)
    monkeypatch.setattr(reading, "Crew", Crew)
    return hired


@pytest.mark.parametrize("size", [1, 3, 7, 16, 100])
@pytest.mark.parametrize("workers", [1, 2, 3])
def test_blocks_come_in_order_however_many_are_ahead(pictures, size, workers):
    dataset, rows = scan(pictures), np.delete(np.arange(20), [0, 4, 11])
    pixels, found, read = expected(pictures, dataset.paths), [], []
    blocks = read_blocks(
        dataset, rows, SMALL, MOST, size=size, workers=workers, on_image=lambda: read.append(1)
    )
    for some, images, facts in blocks:
        found += some.tolist()
        assert len(some) == len(images) == len(facts.digests) <= size
        assert len(read) >= len(found)
        for row, image in zip(some, images, strict=True):
            assert torch.equal(torch.from_numpy(image), pixels[row])
    assert found == rows.tolist()
    assert len(read) == 17


def test_processes_read_the_same(pictures, processes):
    (pictures / "b" / "3.png").write_bytes(b"bad")
    dataset = scan(pictures)
    by_threads, by_processes = (
        [
            (rows.tolist(), pixels.copy(), facts.digests, facts.unreadable)
            for rows, pixels, facts in read_blocks(
                dataset, np.arange(20), SMALL, MOST, size=6, workers=workers
            )
        ]
        for workers in (3, 4)
    )
    assert len(processes) == 1
    assert processes[0].stopped
    for one, other in zip(by_threads, by_processes, strict=True):
        assert one[0] == other[0]
        assert np.array_equal(one[1], other[1])
        assert np.array_equal(one[2], other[2])
        assert one[3] == other[3]
    assert [list(block[3]) for block in by_processes] == [[], [2], [], []]


@pytest.mark.parametrize("workers", [2, 4])
def test_all_workers_end_if_the_images_are_not_needed_any_more(pictures, processes, workers):
    before = threading.active_count()
    blocks = read_blocks(scan(pictures), np.arange(20), SMALL, MOST, size=1, workers=workers)
    next(blocks)
    blocks.close()
    gc.collect()
    assert threading.active_count() == before
    assert all(crew.stopped for crew in processes)


def test_no_images_are_read_in_no_blocks(pictures):
    assert list(read_blocks(scan(pictures), np.arange(0), SMALL, MOST)) == []
