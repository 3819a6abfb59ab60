"""`open_clip:MODEL/PRETRAINED`: the image encoder of any model of open_clip."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from torch import nn

from moderate_cli.errors import ArgumentError
from moderate_cli.networks.foreign import (
    FeatureNetwork,
    built,
    check_model,
    complete,
    import_library,
    put_weights,
    square_preprocessing,
    unfit,
)
from moderate_cli.networks.hub import hub_file
from moderate_cli.networks.table import Preprocessing, weights_digest
from moderate_cli.text import one_of

FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
ENCODER = "visual"  # the part of a model that encodes images


class _Encoder(nn.Module):
    """Maps normalized images to the features of a model, which are not scaled to a length."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        for part, _ in list(model.named_children()):
            if part != ENCODER:  # of texts
                delattr(model, part)
        self.model: nn.Module = model
        self._encode = model.encode_image

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self._encode(images, normalize=False)
        return features


def load_open_clip(
    name: str, weights: str | os.PathLike[str] | None = None, digest: str = ""
) -> FeatureNetwork:
    """Build the image encoder of a model of open_clip; its features are those of `encode_image`.

    Parameters
    ----------
    name
        As `--backbone` takes it, such as "open_clip:ViT-B-32/openai". The tag of the weights also
        says how images are prepared; with a file of weights, it may be left out.
    weights, digest
        A state dict of that model, and its SHA-256; None for the weights of the tag.

    Raises
    ------
    ArgumentError
        If open_clip is not installed, does not know the model, or transforms images in another way.
    WeightsError
        If the weights are not available, or do not fit.
    """
    library = import_library("open_clip", name)
    model, _, tag = name.partition(":")[2].partition("/")
    _check(library, name, model, tag, tagged=weights is None)
    config = library.get_pretrained_cfg(model, tag)
    path, source = None, ("", "")
    if weights is None:
        path = own_file(library, name)
        assert path is not None  # downloaded
        source = f"{_repository(config)[0]}, {path.name}", weights_digest(path)
    encoder: Any = built(name, lambda: _Encoder(_create(library, model, config, path)), path)
    if weights is not None:
        all_weights: dict[str, torch.Tensor] = encoder.model.state_dict()
        body = {key: value for key, value in all_weights.items() if key.startswith(f"{ENCODER}.")}
        source = put_weights(
            encoder.model, body, weights, digest, name,
            convert=lambda state: library.convert.convert_state_dict(encoder.model, state),
            others=("",),  # of the encoder of texts
        )  # fmt: skip
    return complete(name, encoder, _preprocessing(name, encoder), source)


def own_file(library: Any, name: str, *, load: bool = True) -> Path | None:
    """Return the file of the weights of a tag; None if it is not kept, and not to load.

    Raises
    ------
    WeightsError
        If it is not available.
    """
    model, _, tag = name.partition(":")[2].partition("/")
    repository, files = _repository(library.get_pretrained_cfg(model, tag))
    return hub_file(name, repository, files, load=load)


def _repository(config: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
    """Return the repository that a tag names, and the files to look for."""
    place = PurePosixPath(config["hf_hub"])
    if config["hf_hub"].endswith("/"):
        return str(place), FILES
    return str(place.parent), (f"{place.stem}.safetensors", place.name)


def _check(library: Any, name: str, model: str, tag: str, *, tagged: bool) -> None:
    """Refuse a model or a tag that open_clip does not know, or a tag that is missing."""
    tags = library.list_pretrained_tags_by_model(model)
    check_model(f"open_clip:{model}", library.list_models())
    if tag and tag not in tags:
        check_model(f"open_clip:{model}/{tag}", [f"{model}/{one}" for one in tags])
    if tagged and not tag:
        tagged_names = [f"{name}/{one}" for one in tags[:3]]
        raise ArgumentError(
            f"backbone: {name} names no weights; use {one_of([*tagged_names, '--weights FILE'])}"
        )


def _create(library: Any, model: str, config: dict[str, Any], path: Path | None) -> nn.Module:
    """Build a whole model, with the weights of a file or random ones."""
    transform = ("mean", "std", "interpolation", "resize_mode")
    made: nn.Module = library.create_model(
        model,
        pretrained=None if path is None else os.fspath(path),
        # The tag says by which activation its weights were trained.
        force_quick_gelu=bool(config.get("quick_gelu")),
        force_preprocess_cfg={key: config[key] for key in transform if key in config},
        pretrained_text=False,
    )
    return made


def _preprocessing(name: str, encoder: Any) -> Preprocessing:
    """Return the preprocessing that open_clip's transform for evaluations does."""
    config = encoder.model.visual.preprocess_cfg
    size = config["size"]
    height, width = (size, size) if isinstance(size, int) else size
    if config["resize_mode"] not in ("shortest", "squash"):
        raise unfit(name, config["resize_mode"])
    return square_preprocessing(
        name,
        (height, width),
        height,
        config["interpolation"],
        config["mean"],
        config["std"],
        squash=config["resize_mode"] == "squash",
    )
