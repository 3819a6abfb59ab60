"""Products on a GPU, held to those of numpy; a device of torch on the processor takes its place."""

import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from moderate_cli import gpu
from moderate_cli.errors import DeviceError
from moderate_cli.gpu import Gpu, Processor, place_for
from moderate_cli.label_errors import find_suspects, noise, suspects
from moderate_cli.scoring import axes, cross_fitting, heads, neighbors, placed, ridge
from moderate_cli.scoring.heads_on_gpu import InputsOnGpu
from moderate_cli.scoring.linear_head import Inputs
from moderate_cli.scoring.margins import held_out_margins
from moderate_cli.scoring.placed import Placed
from moderate_cli.selection import duplicates


@pytest.fixture
def clusters(rng):
    """Float16 features of four classes, labels of which a tenth are wrong, and some equal rows."""
    members = rng.integers(0, 4, 300)
    features = rng.normal(0, 1, (300, 24)) + rng.normal(0, 1.5, (4, 24))[members]
    features[200:210] = features[0:10]
    wrong = rng.random(300) < 0.1
    return features.astype(np.float16), np.where(wrong, (members + 1) % 4, members)


@pytest.fixture
def on_gpu(monkeypatch):
    """Send all work to what takes the place of a GPU; the operations of each."""
    asked = []

    def place(operations):
        asked.append(operations)
        return Gpu("cpu")

    for module in (ridge, cross_fitting, neighbors, duplicates):
        monkeypatch.setattr(module, "place_for", place)
    return asked


@pytest.mark.parametrize("loaded", [True, False])
def test_small_work_stays_on_the_processor(monkeypatch, loaded):
    monkeypatch.setattr(gpu, "may_have_gpu", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    modules = {"torch": torch} if loaded else {}
    monkeypatch.setattr(gpu, "sys", SimpleNamespace(modules=modules))
    worth = gpu.WORTH_LOADED if loaded else gpu.WORTH
    enough = worth * gpu.RATE * gpu.processors()
    assert isinstance(place_for(enough - 1), Processor)
    assert isinstance(place_for(enough), Gpu)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert isinstance(place_for(enough), Processor)


@pytest.mark.parametrize(
    ("images", "classes", "loaded", "cores", "kind"),
    [
        (4_000, 100, True, 4, Processor),
        (50_000, 100, True, 16, Gpu),
        (50_000, 100, False, 16, Processor),  # 2 s, less than it takes to load torch
        (50_000, 100, False, 2, Gpu),
        (1_281_167, 1000, False, 16, Gpu),
    ],
)
def test_suspects_are_found_where_it_takes_less_time(
    images, classes, loaded, cores, kind, monkeypatch
):
    monkeypatch.setattr(gpu, "may_have_gpu", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(gpu, "processors", lambda: cores)
    monkeypatch.setattr(gpu, "sys", SimpleNamespace(modules={"torch": torch} if loaded else {}))
    assert type(place_for(2 * images * 1280 * (2 * 1280 + classes))) is kind


def test_a_gpu_is_looked_for_without_loading_torch(monkeypatch):
    monkeypatch.setattr(os.path, "exists", lambda path: path == "/dev/nvidiactl")
    for name in gpu.HIDDEN:
        monkeypatch.delenv(name, raising=False)
    assert gpu.may_have_gpu()
    for hidden in ("", "-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
        assert not gpu.may_have_gpu()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert gpu.may_have_gpu()
    monkeypatch.setattr(os.path, "exists", lambda _: False)
    assert not gpu.may_have_gpu()


def test_without_a_gpu_torch_is_not_loaded():
    code = (
        "import sys; from moderate_cli.gpu import place_for; place_for(1e18);"
        "from moderate_cli.label_errors import find_suspects; assert 'torch' not in sys.modules"
    )
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def test_a_gpu_that_fails_is_told_in_a_line():
    def fail(_):
        raise RuntimeError("CUDA error: out of memory\nCompile with TORCH_USE_CUDA_DSA")

    with pytest.raises(DeviceError) as caught:
        Gpu("cpu").compute(fail, np.zeros(2))
    assert str(caught.value) == (
        "the GPU failed (CUDA error: out of memory); CUDA_VISIBLE_DEVICES= computes without it"
    )


def test_kept_arrays_are_copied_once():
    place = Gpu("cpu")
    kept = place.keep(np.arange(3.0))
    assert isinstance(kept, torch.Tensor)
    (found,) = place.compute(lambda one, other: (one * other,), kept, np.full(3, 2.0))
    assert found.tolist() == [0, 2, 4]
    assert Processor().compute(lambda one: (one + 1,), np.zeros(1))[0].tolist() == [1]


def test_blocks_of_rows_become_one_array():
    for place in (Processor(), Gpu("cpu")):
        found = place.gather(iter([np.zeros((2, 3)), np.ones((1, 3))]), (3, 3))
        assert found.tolist() == [[0] * 3, [0] * 3, [1] * 3]
        assert place.fits(1 << 60)


def test_features_that_leave_no_room_are_not_kept(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (1000, 4000))
    place = Gpu("cuda")
    assert place.fits(int(1000 * gpu.ROOM))
    assert not place.fits(int(1000 * gpu.ROOM) + 1)


@pytest.mark.parametrize("kind", ["float16", ">f4", "float64", "longdouble"])
@pytest.mark.parametrize("room", [True, False])
def test_rows_on_a_gpu_have_their_own_type(rng, monkeypatch, kind, room):
    monkeypatch.setattr(placed, "BLOCK_ROWS", 3)
    monkeypatch.setattr(Gpu, "fits", lambda *_: room)
    features, rows = rng.normal(size=(20, 4)).astype(kind), np.arange(2, 20, 2)
    expected = features[rows].astype(np.float64)
    here, there = (Placed(features, rows, place) for place in (Processor(), Gpu("cpu")))
    for part in (slice(1, 5), np.array([0, 3, 8])):
        assert here[part].dtype == np.float64
        np.testing.assert_array_equal(here[part], expected[part])
        assert str(there[part].dtype).endswith({"float16": "16", ">f4": "32"}.get(kind, "64"))
        np.testing.assert_array_equal(there[part].double().numpy(), expected[part])
    parts = [slice(0, 4), slice(4, 9)]
    joined = torch.cat(list(there.each(parts))).double().numpy()
    np.testing.assert_array_equal(joined, expected)


@pytest.fixture(params=["whole", "blocks", "no room"])
def in_blocks(request, monkeypatch):
    """Features that a GPU has at once, in blocks, or in blocks without keeping them."""
    if request.param != "whole":
        monkeypatch.setattr(placed, "BLOCK_ROWS", 50)
        monkeypatch.setattr(axes, "BLOCK_ROWS", 40)
        monkeypatch.setattr(axes, "ROWS_ON_GPU", 70)
        monkeypatch.setattr(ridge, "SAMPLE_ROWS", 60)
        monkeypatch.setattr(noise, "BLOCK_ON_GPU", 300)
        monkeypatch.setattr(suspects, "BLOCK_ROWS", 9)
    if request.param == "no room":
        monkeypatch.setattr(Gpu, "fits", lambda *_: False)


@pytest.mark.usefixtures("in_blocks")
@pytest.mark.parametrize("kind", ["known", "unknown", "few"])
def test_suspects_are_those_of_numpy(clusters, on_gpu, monkeypatch, rng, kind):
    features, labels = clusters
    if kind == "unknown":
        labels = rng.permutation(labels)
    elif kind == "few":
        features, labels = np.tile(features[:20], 2), labels[:20]
    steps = []
    found = find_suspects(features, labels, on_progress=lambda *step: steps.append(step))
    n, d = features.shape
    assert on_gpu == [2 * n * d * (2 * d + 4)]
    assert steps == [(done, len(steps)) for done in range(1, len(steps) + 1)]
    monkeypatch.setattr(ridge, "place_for", lambda _: Processor())
    expected = find_suspects(features, labels)
    np.testing.assert_allclose(found.probability, expected.probability, rtol=1e-9)
    np.testing.assert_array_equal(found.looks_like, expected.looks_like)
    assert found.hardly_known == expected.hardly_known == (kind == "unknown")
    assert found.accuracy == expected.accuracy
    if kind == "known":
        assert 10 < len(found.most_probable()) < 60


@pytest.mark.parametrize("criterion", [heads.el2n, heads.grand, heads.forgetting, heads.aum])
def test_scores_of_heads_are_those_of_numpy(clusters, on_gpu, monkeypatch, criterion):
    features, members = clusters
    rows = np.arange(5, 295)
    found = criterion(features, rows, members[rows], 0)
    assert len(on_gpu) == 1
    monkeypatch.setattr(cross_fitting, "place_for", lambda _: Processor())
    expected = criterion(features, rows, members[rows], 0)
    if criterion is heads.forgetting:
        assert np.mean(found == expected) > 0.99
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
    assert np.ptp(found) > 0


@pytest.mark.parametrize("kind", ["float16", "float32", "float64"])
def test_inputs_of_heads_are_those_of_numpy(rng, kind):
    features, rows = (8 + rng.normal(size=(30, 5))).astype(kind), np.arange(3, 30, 3)
    positions = np.array([0, 2, 5])
    found = InputsOnGpu(features, rows, Gpu("cpu"))(positions).numpy()
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, Inputs(features, rows)(positions), rtol=1e-6)


def test_margins_are_those_of_numpy(clusters, on_gpu, monkeypatch):
    features, members = clusters
    rows = np.arange(5, 295)
    found = held_out_margins(features, rows, members[rows])
    assert on_gpu == [2 * 290 * 24 * (2 * 24 + 4)]
    monkeypatch.setattr(ridge, "place_for", lambda _: Processor())
    expected = held_out_margins(features, rows, members[rows])
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert (found > 0).any()


def test_a_head_that_sees_nothing_takes_no_step(rng):
    place = Gpu("cpu")
    pair = cross_fitting.HeadsOnGpu(place, 2, 3, 2)
    inputs, members = rng.random((4, 3), dtype=np.float32), np.array([0, 1, 0, 1])
    pair.learn(inputs, members, np.ones((2, 4), dtype=bool))
    before = pair._weights.clone(), pair._velocity.clone()
    pair.learn(inputs, members, np.array([[True] * 4, [False] * 4]))
    assert torch.equal(pair._weights[1], before[0][1])
    assert torch.equal(pair._velocity[1], before[1][1])
    assert not torch.equal(pair._weights[0], before[0][0])


@pytest.mark.parametrize("sizes", [(4096, 1 << 15), (64, 32), (32, 64)])
def test_neighbors_are_those_of_numpy(clusters, on_gpu, monkeypatch, sizes):
    features, members = clusters
    monkeypatch.setattr(neighbors, "QUERIES_ON_GPU", sizes[0])
    monkeypatch.setattr(neighbors, "REFERENCES_ON_GPU", sizes[1])
    rows = np.arange(0, 200, 2)  # of which no two are equal, so no ties depend on rounding

    def found():
        near = [near for _, near in neighbors.nearest(features, rows, 10)]
        return (
            np.concatenate([one.position for one in near]),
            np.concatenate([one.similarity for one in near]),
            neighbors.disagreement(features, rows, members[rows]),
        )

    positions, similarity, scores = found()
    monkeypatch.setattr(neighbors, "place_for", lambda _: Processor())
    expected = found()
    np.testing.assert_array_equal(positions, expected[0])
    np.testing.assert_allclose(similarity, expected[1], rtol=1e-6)
    np.testing.assert_allclose(scores, expected[2], rtol=1e-6)


def test_a_query_with_fewer_references_than_neighbors_has_all(rng, on_gpu, monkeypatch):
    monkeypatch.setattr(neighbors, "REFERENCES_ON_GPU", 2)
    features = rng.random((5, 3))
    ((_, found),) = neighbors.nearest(features, np.arange(5), 10)
    assert [sorted(row) for row in found.position.tolist()] == [
        [other for other in range(5) if other != row] for row in range(5)
    ]


@pytest.mark.parametrize("sizes", [(4096, 1 << 15), (64, 32)])
def test_duplicates_are_those_of_numpy(clusters, on_gpu, monkeypatch, sizes):
    features, _ = clusters
    monkeypatch.setattr(duplicates, "ROWS_ON_GPU", sizes[0])
    monkeypatch.setattr(duplicates, "REFERENCES_ON_GPU", sizes[1])
    rows = np.arange(300)
    found = duplicates.find_duplicates(features, rows, 0.9)
    assert on_gpu == [300**2 * 24]
    monkeypatch.setattr(duplicates, "place_for", lambda _: Processor())
    expected = duplicates.find_duplicates(features, rows, 0.9)
    np.testing.assert_array_equal(found.rows, expected.rows)
    np.testing.assert_array_equal(found.survivors, expected.survivors)
    np.testing.assert_allclose(found.similarity, expected.similarity, rtol=1e-6)
    assert len(found.rows) >= 10
