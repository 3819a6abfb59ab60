"""Put a file into another folder: as a copy, a hard link or a symbolic link."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from moderate_cli.errors import OutputError
from moderate_cli.platforms import open_folder
from moderate_cli.text import one_line

# Whether links are made in an open folder, so that a name is not looked up from the root.
BY_FOLDER = {os.link, os.symlink} <= os.supports_dir_fd
# Errors of file systems without links, and of Windows, which has them for developers only.
NO_LINKS = (errno.EPERM, errno.EACCES, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)


def copy_files(source: Path, target: Path, names: Sequence[tuple[str, str]], link: str) -> int:
    """Link or copy files of one folder to another, each under a new name; count them."""
    folders = [open_folder(folder) for folder in (source, target)]
    try:
        for name, new in names:
            try:
                LINKS[link](source / name, target / new, *folders)
            except OSError as error:
                reason = f"cannot be exported ({error.strerror or one_line(error)})"
                if error.errno == errno.EXDEV:
                    reason = "a hard link cannot lead to another file system; use --link symbolic"
                elif link != "none" and error.errno in NO_LINKS:
                    reason = f"cannot be linked ({error.strerror}); use --link none"
                raise OutputError(f"{source / name}: {reason}") from None
    finally:
        for folder in folders:
            os.close(folder)
    return len(names)


def _copy(source: Path, target: Path, _from: int, _to: int) -> None:
    shutil.copy2(source, target)


def _hard_link(source: Path, target: Path, from_: int, to: int) -> None:
    # To the file behind a symbolic link: from its new place the link might lead nowhere.
    if BY_FOLDER:
        os.link(source.name, target.name, src_dir_fd=from_, dst_dir_fd=to, follow_symlinks=True)
    else:
        os.link(os.path.realpath(source), target)


def _symbolic_link(source: Path, target: Path, _from: int, to: int) -> None:
    if BY_FOLDER:
        os.symlink(source, target.name, dir_fd=to)
    else:
        os.symlink(source, target)


Link = Callable[[Path, Path, int, int], None]
LINKS: dict[str, Link] = {"none": _copy, "hard": _hard_link, "symbolic": _symbolic_link}
