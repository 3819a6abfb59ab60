import copy
import pickle

import numpy as np
import pytest
import torch
from checkpoints import checkpoint
from torch import nn
from torchvision import models

from moderate_cli import embed
from moderate_cli.dataset import scan
from moderate_cli.dataset.fingerprints import content_digest
from moderate_cli.errors import WeightsError
from moderate_cli.images.preprocessing import read_image
from moderate_cli.networks import fitted as fitted_module
from moderate_cli.networks.backbones import load_network
from moderate_cli.networks.classifiers import drop_head, load_classifier, put_head
from moderate_cli.networks.fitted import Fitted, parts_of, read_fitted, write_fitted
from moderate_cli.networks.table import FeatureSpec, weights_digest


def networks(digests, folds=3, dim=64, name="cnn"):
    """Return networks with random weights, each with batch statistics of its own."""
    rng, tails = np.random.default_rng(0), []
    for fold in range(folds):
        torch.manual_seed(fold)
        tail = parts_of(name, 4, 32).tail
        with torch.no_grad():
            for _ in range(3):
                tail(torch.randn(4, 3, 32, 32))
        tails.append(copy.deepcopy(tail.state_dict()))
    keys = sorted(digests)
    return Fitted(
        name, 4, 32, tuple(tails),
        torch.from_numpy(rng.normal(size=(folds, dim, dim)).astype(np.float32) / 8),
        torch.from_numpy(rng.normal(size=(folds, dim)).astype(np.float32)),
        np.array([list(key) for key in keys], dtype=np.uint8),
        np.arange(len(keys)) % folds,
    )  # fmt: skip


def some_digests(n):
    return [content_digest(bytes([at])) for at in range(n)]


def test_a_file_is_read_as_it_was_written(tmp_path):
    before = networks(some_digests(7))
    write_fitted(tmp_path / "network.pt", before)
    found = read_fitted(tmp_path / "network.pt")
    assert (found.network, found.classes, found.size) == ("cnn", 4, 32)
    for one, other in zip(found.tails, before.tails, strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)
    for at in (4, 5):
        assert torch.equal(found[at], before[at])
    assert np.array_equal(found.digests, before.digests)
    assert np.array_equal(found.folds, before.folds)


def test_the_same_networks_give_the_same_bytes(tmp_path):
    for name in "ab":
        write_fitted(tmp_path / name, networks(some_digests(7)))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_fold_of_an_image_is_found_by_its_digest():
    digests = some_digests(30)
    fitted = networks(digests[::2])
    asked = np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(30, 16)
    order = sorted(digests[::2])
    expected = [order.index(one) % 3 if one in order else -1 for one in digests]
    assert fitted.known_folds(asked).tolist() == expected


def test_digests_that_end_with_zeros_are_told_apart():
    digests = [bytes([1]) + bytes(15), bytes([1, 0, 1]) + bytes(13), bytes(16)]
    fitted = networks(digests)
    asked = np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(3, 16)
    assert fitted.known_folds(asked).tolist() == [1, 2, 0]
    assert fitted.known_folds(asked[:1] + 1).tolist() == [-1]


@pytest.mark.parametrize(("name", "dim"), [("cnn", 64), ("resnet9_narrow", 256)])
def test_the_features_of_an_image_are_those_of_the_network_of_its_fold(
    pictures, tmp_path, name, dim
):
    dataset = scan(pictures)
    paths = [pictures / path for path in dataset.paths]
    digests = [content_digest(path.read_bytes()) for path in paths]
    fitted = networks(digests[:15], 3, dim, name)  # those of the last class are unknown
    write_fitted(tmp_path / "network.pt", fitted)
    store = embed(
        pictures, backbone="fitted", weights=tmp_path / "network.pt", dtype="float32",
        device="cpu", runtime="torch", batch_size=4,
    )  # fmt: skip
    assert store.features.shape == (20, dim)
    order = sorted(digests[:15])
    for row, (path, digest) in enumerate(zip(paths, digests, strict=True)):
        fold = order.index(digest) % 3 if digest in order else 0
        parts = parts_of(name, 4, 32)
        parts.tail.load_state_dict(fitted.tails[fold])
        drop_head(parts.tail)
        pixels = read_image(str(path), parts.preprocessing).pixels
        with torch.inference_mode():
            plain = parts.tail.eval()((pixels[None].float() - 127.5) / 64)[0]
        expected = plain @ fitted.turns[fold] + fitted.shifts[fold]
        np.testing.assert_allclose(store.features[row], expected, rtol=1e-4, atol=1e-4)
    assert store.manifest.weights == f"{name}, 3 folds"
    assert store.manifest.weights_sha256 == weights_digest(tmp_path / "network.pt")


def test_features_do_not_depend_on_batches_and_engines(pictures, tmp_path):
    digests = [content_digest((pictures / path).read_bytes()) for path in scan(pictures).paths]
    write_fitted(tmp_path / "network.pt", networks(digests))
    options = {"backbone": "fitted", "weights": tmp_path / "network.pt", "dtype": "float32"}
    found = [
        embed(pictures, store=tmp_path / str(at), device="cpu", **how, **options).features
        for at, how in enumerate(
            ({"runtime": "torch"}, {"runtime": "torch", "batch_size": 3}, {"runtime": "openvino"})
        )
    ]
    for one in found[1:]:
        np.testing.assert_allclose(one, found[0], rtol=1e-3, atol=1e-4)


def test_unreadable_images_have_no_features(pictures, tmp_path):
    (pictures / "b" / "0.png").write_bytes(b"bad")
    digests = [content_digest((pictures / path).read_bytes()) for path in scan(pictures).paths]
    write_fitted(tmp_path / "network.pt", networks(digests))
    options = {"weights": tmp_path / "network.pt", "device": "cpu", "runtime": "torch"}
    store = embed(pictures, backbone="fitted", on_error="skip", batch_size=3, **options)
    assert np.flatnonzero(np.isnan(store.features).any(axis=1)).tolist() == [5]


@pytest.mark.parametrize(("folds", "title"), [(1, "cnn"), (3, "cnn, 3 folds")])
def test_the_title_names_the_network_and_its_folds(folds, title):
    assert networks(some_digests(3), folds).title == title


def test_both_parts_of_the_default_backbone_are_the_whole():
    parts = parts_of("efficientnet_lite0", 5, 32)
    whole, preprocessing, _, _ = load_classifier("efficientnet_lite0")
    assert parts.preprocessing == preprocessing
    assert parts.pretrained
    put_head(whole, 5)
    whole.classifier.load_state_dict(parts.tail[-1].state_dict())
    images = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        found = parts.tail.eval()(parts.stem.eval()(images))
        torch.testing.assert_close(found, whole.eval()(images))
    # The stem has no layer that is trained.
    trained = {name for name, _ in parts.tail.named_parameters()}
    assert len(trained) + len(list(parts.stem.parameters())) == len(list(whole.parameters()))


def test_other_classifiers_are_trained_whole(monkeypatch, tmp_path):
    path, model = checkpoint(tmp_path, "squeezenet1_1")

    def load(name, original=load_classifier):
        return original(name, path)

    monkeypatch.setattr(fitted_module, "load_classifier", load)
    parts = parts_of("squeezenet1_1", 5, 32)
    assert isinstance(parts.stem, nn.Identity)
    assert parts.pretrained
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert parts.tail(images).shape == (2, 5)
    dim = drop_head(parts.tail)
    assert dim == 512
    assert torch.equal(parts.tail.state_dict()["features.0.weight"], model.features[0].weight)


def state_dict(path):
    torch.save(models.squeezenet1_1(weights=None).state_dict(), path)


def without_folds(path):
    torch.save({"moderate fit": 1, "network": "cnn"}, path)


def pickled(path):
    torch.save(nn.Linear(2, 2), path)


def of_a_later_version(path):
    write_fitted(path, networks(some_digests(3)))
    content = torch.load(path, weights_only=True)
    torch.save(content | {"moderate fit": 2}, path)


ANOTHER = "is not a network of `moderate fit`; name another"


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda path: path.write_bytes(b""), "is not a weights file, or is damaged ("),
        (lambda path: path.write_text("kept.txt"), "is not a weights file, or is damaged ("),
        (lambda path: path.write_bytes(pickle.dumps(3)), "is not a weights file, or is damaged ("),
        (lambda path: path.mkdir(), "Is a directory; name a weights file"),
        (lambda path: None, "No such file or directory; name a weights file"),
        (lambda path: torch.save([1, 2], path), ANOTHER),
        (lambda path: torch.save(torch.ones(3), path), ANOTHER),
        (lambda path: torch.save({"moderate fit": torch.ones(3)}, path), ANOTHER),
        (state_dict, ANOTHER),
        (of_a_later_version, ANOTHER),
        (without_folds, "is damaged; run `moderate fit` again"),
        (pickled, "is a pickled model, or contains objects that are not tensors ("),
    ],
)
def test_any_other_file_is_refused_in_a_line(tmp_path, write, said):
    path = tmp_path / "network.pt"
    write(path)
    with pytest.raises(WeightsError) as caught:
        read_fitted(path)
    assert str(caught.value).startswith(f"{path}: {said}")
    assert "\n" not in str(caught.value)


def cut(content):
    content["tails"] = content["tails"][:2]


def foreign(content):
    content["tails"] = ({"features.0.weight": torch.ones(3)}, *content["tails"][1:])


def unknown(content):
    content["network"] = "cnm"


def reshaped(content):
    content["turns"] = content["turns"][:, :3]


def listed(content):
    content["digests"] = content["digests"].tolist()


def torn(content):
    content["folds"] = content["folds"][:-1]


def beyond(content):
    content["folds"] = content["folds"] + 3


@pytest.mark.parametrize("damage", [cut, foreign, unknown, reshaped, listed, torn, beyond])
def test_a_file_with_parts_that_do_not_go_together_is_damaged(tmp_path, damage):
    path = tmp_path / "network.pt"
    write_fitted(path, networks(some_digests(7)))
    content = torch.load(path, weights_only=True)
    damage(content)
    torch.save(content, path)
    spec = FeatureSpec("fitted", "digest")
    with pytest.raises(WeightsError) as caught:
        load_network(spec, path, device="cpu", runtime="torch")
    assert str(caught.value) == f"{path}: is damaged; run `moderate fit` again"
