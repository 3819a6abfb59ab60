"""List a dataset: a folder, a list, tables, tar files or the URL of a remote folder."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from moderate_cli.dataset.dataset import Dataset
from moderate_cli.dataset.folders import scan_folder
from moderate_cli.dataset.label_patterns import class_finder, relabeled
from moderate_cli.dataset.lists import is_list, is_pattern
from moderate_cli.dataset.named import NamedDataset
from moderate_cli.dataset.names import TAR
from moderate_cli.dataset.shards import Shards, shards_at
from moderate_cli.errors import DatasetError, OptionError

if TYPE_CHECKING:
    from moderate_cli.dataset.image_folders import ImageFolder

METADATA = (".csv", ".jsonl", ".parquet")


def scan(
    root: str | os.PathLike[str] | ImageFolder,
    *,
    images: str | os.PathLike[str] | None = None,
    path_column: str | None = None,
    label_column: str | None = None,
    label_pattern: str | None = None,
) -> Dataset:
    """List the images below `root`, in the order of torchvision's `ImageFolder`.

    `root` may also be a list of images (`.csv`, `.tsv`, `.jsonl`, `.parquet` or `.txt`), a folder
    with a `metadata.csv` as Hugging Face has it, tables with images in their rows (`.parquet`, a
    folder of them, or one that `Dataset.save_to_disk` wrote), a URL of fsspec, or tar files of
    WebDataset: see `moderate_cli.dataset.listed`, `.table_scanning`, `.remote` and `.tars`.

    No image is opened. A class without images keeps its index, and is in `Dataset.empty_classes`;
    `ImageFolder` raises an error there. Images without class folders form one class. Other
    differences, such as hidden files, are in `Dataset.notices`.

    Parameters
    ----------
    root
        The dataset: a path, a URL, or an ImageFolder, whose order and classes are kept.
    images
        Of a list: the folder that images are relative to; None for the one that the features of
        the list were computed from, or else the folder of the list.
    path_column, label_column
        Of a list or table: names of the columns of image and class; None for the usual names.
    label_pattern
        Of a folder or list: a regular expression that finds the class in the name of a file: its
        first group, or the whole match.

    Raises
    ------
    DatasetError
        If `root` is not a dataset, contains no image, or a folder below it cannot be listed.
    ArgumentError
        If `label_pattern` is not a regular expression, or an option does not fit `root`.

    Examples
    --------
    >>> len(scan("data/train"))
    8
    """
    if not isinstance(root, (str, os.PathLike)):
        from moderate_cli.dataset.image_folders import of_image_folder

        return of_image_folder(root)
    name = os.fspath(root)
    if not name:  # which would be the working directory
        raise DatasetError("the name of the dataset is empty; name a dataset folder")
    if isinstance(root, NamedDataset):
        return _scanned(root)
    return _scanned(NamedDataset(name, images, path_column, label_column, label_pattern))


def _scanned(named: NamedDataset) -> Dataset:
    name = named.path
    if named.label_pattern is not None:
        class_finder(named.label_pattern)  # a wrong pattern is refused before all else
    if "://" in name:
        from moderate_cli.dataset.remote import scan_remote

        return _by_name(scan_remote(named), named)
    shards = shards_at(name)
    if shards is not None and _has_images(shards, named):
        return _table(shards, named)
    if is_list(name):
        from moderate_cli.dataset.listed import scan_list

        return scan_list(named)
    if os.path.isdir(name) and (metadata := metadata_in(name)) is not None:
        from moderate_cli.dataset.listed import scan_list

        return scan_list(replace(named, path=metadata), home=name)
    _refuse_options(named)
    if name.lower().endswith(TAR) and not os.path.isdir(name):
        from moderate_cli.dataset.tars import scan_tars

        return _by_name(scan_tars(name), named)
    try:
        folders = scan_folder(name)
    except DatasetError:
        if shards is None:
            raise
        return _table(shards, named)  # says why it is not read
    return _by_name(folders, named)


def _refuse_options(named: NamedDataset) -> None:
    """Refuse options of lists for other datasets."""
    for option in ("images", "path_column", "label_column"):
        if getattr(named, option) is not None and not named.lenient:
            shown = named.path.replace("{", "{{").replace("}", "}}")
            raise OptionError(
                f"{{}} needs a list of images, such as train.csv, not {shown}", option
            )


def _has_images(shards: Shards, named: NamedDataset) -> bool:
    """Whether files of tables have images in their rows, so that they are the dataset."""
    from moderate_cli.dataset.table_scanning import has_images

    if named.images is not None and not named.lenient:  # as for lists
        return False
    if shards.saved or is_pattern(named.path):
        return True
    try:
        return has_images(shards, named.path_column)
    except DatasetError:
        if os.path.isdir(named.path):  # perhaps of class folders, with a table beside them
            return False
        raise


def _table(shards: Shards, named: NamedDataset) -> Dataset:
    from moderate_cli.dataset.table_scanning import scan_tables

    if named.label_pattern is not None and not named.lenient:
        raise DatasetError(
            f"{named.path}: has images without file names, so --label-pattern has no effect; name"
            " the column of classes with --label-column"
        )
    return scan_tables(shards, named)


def _by_name(dataset: Dataset, named: NamedDataset) -> Dataset:
    """Take the classes from names of files, if that is asked for."""
    if named.label_pattern is None or (named.lenient and not dataset.flat):
        return dataset
    return relabeled(dataset, named.label_pattern, named.path)


def takes_columns(name: str) -> bool:
    """Whether a path or URL may be of a list or of tables, whose columns can be named.

    >>> takes_columns("train.csv"), takes_columns("data/train")
    (True, False)
    """
    if is_list(name) or "://" in name:
        return True
    return shards_at(name) is not None or (os.path.isdir(name) and metadata_in(name) is not None)


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
