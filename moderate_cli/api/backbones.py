"""`backbones`: the networks that compute features."""

from __future__ import annotations

from moderate_cli.networks.listing import Listing, list_backbones


def backbones(pattern: str | None = None) -> Listing:
    """List the backbones of this package, and with a pattern those of timm and open_clip.

    Parameters
    ----------
    pattern
        A part of names, or a pattern of the shell such as "timm:vit_*dinov2*"; None for all of
        this package.

    Returns
    -------
    Listing
        Name, number of features and of parameters, and source of the weights of each.

    Raises
    ------
    ArgumentError
        If nothing matches, or the pattern names a library that is not installed.

    Examples
    --------
    >>> [(one.name, one.dim) for one in backbones("efficientnet_lite").found][:2]
    [('efficientnet_lite0', 1280), ('efficientnet_lite2', 1280)]
    """
    return list_backbones(pattern)
