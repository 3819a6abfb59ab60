"""List a dataset: a folder, a list, tar files or the URL of a remote folder."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from moderate_cli.dataset.dataset import Dataset
from moderate_cli.dataset.folders import scan_folder
from moderate_cli.dataset.lists import ListFile, is_list
from moderate_cli.errors import DatasetError

METADATA = (".csv", ".jsonl", ".parquet")


def scan(
    root: str | os.PathLike[str],
    *,
    images: str | os.PathLike[str] | None = None,
    path_column: str | None = None,
    label_column: str | None = None,
) -> Dataset:
    """List the images below `root`, in the order of torchvision's `ImageFolder`.

    `root` may also be a list of images (`.csv`, `.tsv`, `.jsonl`, `.parquet` or `.txt`), a folder
    with a `metadata.csv` as Hugging Face has it, a URL of fsspec, or tar files of WebDataset: see
    `moderate_cli.dataset.listed`, `moderate_cli.dataset.remote` and `moderate_cli.dataset.tars`.

    No image is opened. A class without images keeps its index, and is in `Dataset.empty_classes`;
    `ImageFolder` raises an error there. Images without class folders form one class. Other
    differences, such as hidden files, are in `Dataset.notices`.

    Parameters
    ----------
    root
        The dataset.
    images
        Of a list: the folder that images are relative to; None for the folder of the list.
    path_column, label_column
        Of a list: names of the columns of image and class; None for the usual names.

    Raises
    ------
    DatasetError
        If `root` is not a dataset, contains no image, or a folder below it cannot be listed.

    Examples
    --------
    >>> len(scan("data/train"))
    8
    """
    name = os.fspath(root)
    if not name:  # which would be the working directory
        raise DatasetError("the name of the dataset is empty; name a dataset folder")
    named = root if isinstance(root, ListFile) else None
    if named is None and "://" not in name and is_list(name):
        named = ListFile(name, images, path_column, label_column)
    if named is not None:
        from moderate_cli.dataset.listed import scan_list

        return scan_list(named)
    if any(option is not None for option in (images, path_column, label_column)):
        raise DatasetError(f"{name}: is not a list of images, so it has no columns; name a .csv")
    if "://" in name:
        from moderate_cli.dataset.remote import scan_remote

        return scan_remote(name)
    if name.endswith(".tar") and not os.path.isdir(name):
        from moderate_cli.dataset.tars import scan_tars

        return scan_tars(name)
    if os.path.isdir(name) and (metadata := metadata_in(name)) is not None:
        from moderate_cli.dataset.listed import scan_list

        return scan_list(ListFile(metadata), home=name)
    return scan_folder(name)


def metadata_in(folder: str) -> str | None:
    """Return the list in a folder that Hugging Face reads in place of class folders, if any.

    It is named metadata, and has a column `file_name` and one of classes.
    """
    for suffix in METADATA:
        path = os.path.join(folder, f"metadata{suffix}")
        if os.path.isfile(path):
            from moderate_cli.dataset.columns import has_labels
            from moderate_cli.dataset.list_formats import open_records

            with contextlib.suppress(DatasetError):
                columns = open_records(Path(path), path).columns
                if "file_name" in columns and has_labels(columns):
                    return path
    return None
