"""Tasks of many images, and the slabs that their pixels go to."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import paint

from moderate_cli.dataset import scan
from moderate_cli.dataset.sources import Files
from moderate_cli.embedding.engines import batches
from moderate_cli.embedding.engines.readers import Threads
from moderate_cli.embedding.engines.reading import Facts, Reading, Stopped, Task, not_read
from moderate_cli.embedding.engines.slabs import memory_of, private_slab, shared_file, shared_slab
from moderate_cli.images.gpu_files import read_file
from moderate_cli.images.preprocessing import ReadImage, read_image
from moderate_cli.networks.backbones import Network
from moderate_cli.networks.table import Preprocessing
from moderate_cli.store.blocks import Block

PREPROCESSING = Preprocessing(8, 8, "bilinear", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


@pytest.fixture
def task(data):
    """Five cats, the second of which is unreadable, for rows 2 to 6 of a slab."""
    (data / "cat" / "1.png").write_bytes(b"")
    names = [f"{data}/cat/{number}.png" for number in range(5)]
    return Task(names, scan(data).source, 2, Reading(read_image, PREPROCESSING, 10**6))


def test_pixels_go_into_the_slab_and_facts_into_arrays(task):
    readers = Threads(8, 8)
    readers.slab[:] = 7
    facts = readers.read(task)
    assert readers.slab[:, 0, 0, 0].tolist() == [7, 7, 0, 0, 102, 153, 255, 7]
    assert (readers.slab[2:7] == readers.slab[2:7, :1, :1, :1]).all()
    assert facts.unreadable == {1: "is empty"}
    for at, name in enumerate(task.names):
        image = read_image(name, PREPROCESSING)
        assert (tuple(facts.stats[at]), facts.digests[at].tobytes()) == (image.stat, image.digest)
    assert min(facts.decoding, facts.transforming) > 0


@pytest.mark.parametrize(("read", "decode"), [(read_image, "full"), (read_file, "gpu (any)")])
def test_a_source_that_does_not_say_why_makes_an_image_unreadable(task, read, decode):
    class Silent(Files):
        def read(self, name):
            raise TimeoutError

    reading = Reading(read, replace(PREPROCESSING, decode=decode), 10**6)
    readers = Threads(5 * reading.rows, 8)
    facts = readers.read(Task(task.names, Silent(), 0, reading))
    assert facts.unreadable == dict.fromkeys(range(5), "TimeoutError")


def test_facts_of_parts_are_joined(task):
    readers = Threads(8, 8)
    whole = readers.read(task)
    joined = Facts.joined([readers.read(single) for single in task.singles()])
    np.testing.assert_array_equal(joined.stats, whole.stats)
    np.testing.assert_array_equal(joined.digests, whole.digests)
    assert joined.unreadable == whole.unreadable
    assert [single.first for single in task.singles()] == [2, 3, 4, 5, 6]


def test_facts_of_images_that_are_read_later_replace_others(task):
    whole = Threads(8, 8).read(task)
    images = {
        1: ReadImage(None, "", (5, 6, 7, 8), bytes(range(16)), 0.0, 0.0, 3),
        2: ReadImage(None, "why", (1, 1, 1, 1), bytes(16), 0.0, 0.0),
    }
    found = whole.replaced(images, 2.5)
    assert found.unreadable == {2: "why"}
    assert found.stats[[1, 2]].tolist() == [[5, 6, 7, 8], [1, 1, 1, 1]]
    assert found.digests[1].tolist() == list(range(16))
    assert found.orientations.tolist() == [1, 3, 0, 1, 1]
    assert found.decoding == whole.decoding + 2.5
    assert whole.unreadable == {1: "is empty"}
    np.testing.assert_array_equal(found.stats[[0, 3, 4]], whole.stats[[0, 3, 4]])


def test_images_that_cannot_be_read_now_keep_their_stat_alone(task):
    facts = not_read(task, "why")
    np.testing.assert_array_equal(facts.stats, Threads(8, 8).read(task).stats)
    assert not facts.digests.any()
    assert facts.unreadable == dict.fromkeys(range(5), "why")


def test_a_task_ends_soon_after_it_is_stopped(task):
    readers, read = Threads(8, 8), []

    def stop(name, *how):
        read.append(name)
        readers.stop()
        return read_image(name, *how)

    with pytest.raises(Stopped):
        readers.read(Task(task.names, task.source, 0, Reading(stop, PREPROCESSING, 10**6)))
    assert read == task.names[:1]


def test_a_shared_slab_is_the_same_memory_for_all_who_map_it():
    with shared_file(5, 4) as file:
        one, other = shared_slab(file, 4), shared_slab(file, 4)
    assert one.shape == (5, 3, 4, 4)
    one[3, 1, 2, 0] = 9
    assert np.argwhere(other).tolist() == [[3, 1, 2, 0]]


def test_the_channels_of_a_slab_are_last_in_one_piece_of_memory():
    slab = private_slab(2, 2)
    slab[1] = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
    memory = memory_of(slab)
    assert memory[12:].tolist() == [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]
    memory[:] = 5
    assert (slab == 5).all()


@pytest.mark.parametrize(
    ("batch", "workers", "rows"),
    [
        (16, 2, 16 * (4 + 2)),  # two tasks of 16 for each worker
        (256, 4, 256 * (3 + 2)),  # at least three batches
        (256, 16, 256 * (4 + 2)),  # two tasks of 32 for each worker
        (1, 4, 8 + 2),
        (16, 1024, 8192 + 2 * 16),
    ],
)
def test_a_slab_has_room_for_two_tasks_of_each_worker(batch, workers, rows):
    assert batches.slab_rows(batch, workers) == rows


def test_a_batch_is_divided_into_tasks(data):
    dataset = scan(data)
    reading = Reading(read_image, PREPROCESSING, 10**6)
    for rows in (np.arange(7), np.array([0, 2, 3, 4, 5, 6, 7])):
        tasks = batches._tasks(dataset, rows, reading, 100, 3)
        assert [len(task.names) for task in tasks] == [3, 3, 1]
        assert [task.first for task in tasks] == [100, 103, 106]
        names = [name for task in tasks for name in task.names]
        assert names == [f"{data}/{dataset.paths[row]}" for row in rows]


@pytest.mark.parametrize("workers", [1, 4])
def test_images_stay_in_the_slab_until_the_network_has_finished(tmp_path, workers):
    for level in range(100):
        paint(tmp_path / "class" / f"{level:03}.png", level)
    (tmp_path / "class" / "050.png").write_bytes(b"")
    asked = []

    def late(images):  # a GPU may copy images from memory later
        return lambda: images[:, :, 7, 7].float()

    def choose(features, digests):
        asked.extend(digests)
        return features

    network = Network(late, PREPROCESSING, 3, ("", ""), "torch", 2, choose)
    parts: list[Block] = [(0, np.arange(35)), (2, np.arange(35, 100))]
    counts = []
    found = list(
        batches.embed_blocks(
            scan(tmp_path), parts, network, max_pixels=100, workers=workers,
            on_images=counts.append,
        )
    )  # fmt: skip
    assert [(block.block, len(block.rows)) for block in found] == [(0, 35), (2, 65)]
    expected = np.repeat(np.arange(100.0)[:, None], 3, axis=1)
    expected[50] = np.nan
    np.testing.assert_array_equal(np.concatenate([block.features for block in found]), expected)
    assert [dict(block.unreadable) for block in found] == [{}, {50: "is empty"}]
    assert counts == [2] * 17 + [1] + [2] * 32 + [1]
    assert b"".join(asked) == np.concatenate([block.digests for block in found]).tobytes()
