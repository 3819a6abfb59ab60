"""Put a file into another folder: as a copy, a hard link or a symbolic link."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from moderate_cli.errors import OutputError
from moderate_cli.platforms import open_folder
from moderate_cli.text import one_line

# Whether links are made in an open folder, so that a name is not looked up from the root.
BY_FOLDER = {os.link, os.symlink} <= os.supports_dir_fd
# Errors of file systems without links, and of Windows, which has them for developers only.
NO_LINKS = (errno.EPERM, errno.EACCES, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)


def copy_files(source: Path, target: Path, names: Sequence[tuple[str, str]], link: str) -> int:
    """Link or copy files of one folder to another, each under a new name; count them."""
    put = LINKS[link]
    with _opened(source) as old, _opened(target) as new:
        for name, new_name in names:
            try:
                put(old, name, new, new_name)
            except OSError as error:
                reason = f"cannot be exported ({error.strerror or one_line(error)})"
                if error.errno == errno.EXDEV:
                    reason = "a hard link cannot lead to another file system; use --link symbolic"
                elif link != "none" and error.errno in NO_LINKS:
                    reason = f"cannot be linked ({error.strerror}); use --link none"
                raise OutputError(f"{source / name}: {reason}") from None
    return len(names)


class _Folder(NamedTuple):
    """An open folder: its path as text, since paths of pathlib take longer than links."""

    path: str
    descriptor: int


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[_Folder]:
    descriptor = open_folder(path)
    try:
        yield _Folder(os.fspath(path), descriptor)
    finally:
        os.close(descriptor)


def _copy(old: _Folder, name: str, new: _Folder, new_name: str) -> None:
    shutil.copy2(f"{old.path}/{name}", f"{new.path}/{new_name}")


def _hard_link(old: _Folder, name: str, new: _Folder, new_name: str) -> None:
    # To the file behind a symbolic link: from its new place the link might lead nowhere.
    if BY_FOLDER:
        os.link(
            name,
            new_name,
            src_dir_fd=old.descriptor,
            dst_dir_fd=new.descriptor,
            follow_symlinks=True,
        )
    else:
        os.link(os.path.realpath(f"{old.path}/{name}"), f"{new.path}/{new_name}")


def _symbolic_link(old: _Folder, name: str, new: _Folder, new_name: str) -> None:
    source = f"{old.path}/{name}"
    if BY_FOLDER:
        os.symlink(source, new_name, dir_fd=new.descriptor)
    else:
        os.symlink(source, f"{new.path}/{new_name}")


Link = Callable[[_Folder, str, _Folder, str], None]
LINKS: dict[str, Link] = {"none": _copy, "hard": _hard_link, "symbolic": _symbolic_link}
