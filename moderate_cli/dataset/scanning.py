"""List a dataset: a folder, tar files or the URL of a remote folder."""

from __future__ import annotations

import os

from moderate_cli.dataset.dataset import Dataset
from moderate_cli.dataset.folders import scan_folder
from moderate_cli.errors import DatasetError


def scan(root: str | os.PathLike[str]) -> Dataset:
    """List the images below `root`, in the order of torchvision's `ImageFolder`.

    `root` may also be a URL of fsspec, or tar files of WebDataset: see
    `moderate_cli.dataset.remote` and `moderate_cli.dataset.tars`.

    No image is opened. A class without images keeps its index, and is in `Dataset.empty_classes`;
    `ImageFolder` raises an error there. Images without class folders form one class. Other
    differences, such as hidden files, are in `Dataset.notices`.

    Raises
    ------
    DatasetError
        If `root` is not a folder, contains no image, or a folder below it cannot be listed.

    Examples
    --------
    >>> len(scan("data/train"))
    8
    """
    if not os.fspath(root):  # which would be the working directory
        raise DatasetError("the name of the dataset is empty; name a dataset folder")
    if "://" in os.fspath(root):
        from moderate_cli.dataset.remote import scan_remote

        return scan_remote(os.fspath(root))
    if os.fspath(root).endswith(".tar") and not os.path.isdir(root):
        from moderate_cli.dataset.tars import scan_tars

        return scan_tars(os.fspath(root))
    return scan_folder(os.fspath(root))
