"""Find out what a dataset is: a folder, tar files or the URL of a remote folder."""

from __future__ import annotations

import os

from moderate_cli.dataset.dataset import Dataset
from moderate_cli.dataset.folders import scan_folder
from moderate_cli.errors import DatasetError


def scan(root: str | os.PathLike[str]) -> Dataset:
    """List the images below `root`, in the order of torchvision's `ImageFolder`.

    `root` may also be an URL that fsspec knows, or the name of tar files as WebDataset makes them:
    see `moderate_cli.dataset.remote` and `moderate_cli.dataset.tars`.

    No image is opened. Unlike for `ImageFolder`, a class without images is no error: it keeps its
    index and is listed in `Dataset.empty_classes`. Nor are images without any class folder. What
    else is listed otherwise, such as hidden files, is told in `Dataset.notices`.

    Raises
    ------
    DatasetError
        If `root` is no folder, holds no image, or a folder below it cannot be listed.
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
