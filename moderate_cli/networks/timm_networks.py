"""`timm:NAME`: any model of timm, pooled, without its classifier."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from moderate_cli.errors import WeightsError
from moderate_cli.networks.checkpoints import StateDict
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
from moderate_cli.networks.hub import hub_file, url_file
from moderate_cli.networks.table import Preprocessing, weights_digest

FILES = ("model.safetensors", "pytorch_model.bin")  # in a repository, the first one that is there


def load_timm(
    name: str, weights: str | os.PathLike[str] | None = None, digest: str = ""
) -> FeatureNetwork:
    """Build a model of timm; its features are `forward_head(..., pre_logits=True)`.

    Parameters
    ----------
    name
        As `--backbone` takes it, such as "timm:resnet50.a1_in1k".
    weights, digest
        A state dict of that model, and its SHA-256; None for the weights that timm names.

    Raises
    ------
    ArgumentError
        If timm is not installed, does not know the model, or transforms images in another way.
    WeightsError
        If the weights are not available, or do not fit.
    """
    timm = import_library("timm", name)
    model = name.partition(":")[2]
    check_model(name, {*timm.list_models(), *timm.list_models(pretrained=True)})
    if weights is None:
        file = own_file(timm, name)
        assert file is not None  # downloaded
        source = f"{_repository(timm, model)}, {file.name}", weights_digest(file)
        given = {"pretrained": True, "pretrained_cfg_overlay": {"file": os.fspath(file)}}
        module = built(name, lambda: timm.create_model(model, num_classes=0, **given), file)
    else:
        module = built(name, lambda: timm.create_model(model, num_classes=0))
        source = put_weights(
            module, module.state_dict(), weights, digest, name,
            convert=_conversion(timm, model, module), others=_heads(module),
        )  # fmt: skip
    return complete(name, module, _preprocessing(timm, name, module), source)


def own_file(timm: Any, name: str, *, load: bool = True) -> Path | None:
    """Return the file of the weights that timm names; None if it is not kept, and not to load.

    Raises
    ------
    WeightsError
        If it is not available.
    """
    config = timm.models.get_pretrained_cfg(name.partition(":")[2])
    if config is not None and config.hf_hub_id:
        files = (config.hf_hub_filename,) if config.hf_hub_filename else FILES
        return hub_file(name, config.hf_hub_id, files, load=load)
    if config is not None and config.url:
        return url_file(name, config.url, load=load)
    raise WeightsError(f"{name}: timm has no weights for it; pass --weights FILE")


def _repository(timm: Any, model: str) -> str:
    """Return the repository of the weights of a model; of some there is only a URL."""
    return timm.models.get_pretrained_cfg(model).hf_hub_id or "timm"


def _heads(module: Any) -> tuple[str, ...]:
    """Return the beginnings of names of the classifier's weights."""
    named = module.pretrained_cfg.get("classifier") or ()
    return tuple(f"{head}." for head in ((named,) if isinstance(named, str) else named))


def _conversion(timm: Any, model: str, module: nn.Module) -> Callable[[StateDict], StateDict]:
    """Return the function by which timm renames the weights of other programs."""
    file = sys.modules[timm.models.model_entrypoint(model.partition(".")[0]).__module__]
    rename = getattr(file, "checkpoint_filter_fn", None)
    return dict if rename is None else lambda state: rename(state, module)


def _preprocessing(timm: Any, name: str, module: nn.Module) -> Preprocessing:
    """Return the preprocessing that timm's transform for evaluations does."""
    config = timm.data.resolve_model_data_config(module)
    channels, *size = config["input_size"]
    if config["crop_mode"] not in ("center", "squash") or channels != 3:
        raise unfit(name, f"{config['crop_mode']}, {channels} channels")
    return square_preprocessing(
        name,
        size,
        math.floor(size[0] / config["crop_pct"]),
        config["interpolation"],
        config["mean"],
        config["std"],
        squash=config["crop_mode"] == "squash",
    )
