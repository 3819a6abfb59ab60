"""Python on Linux that lacks what Windows or macOS lacks, to run `moderate` in.

    python tests/elsewhere.py windows|macos FOLDER ARGS... [then ARGS...]

It is no proof for those systems: it finds uses of what they do not have, and renames that Windows
refuses. Paths still are those of Linux.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import multiprocessing
import os
import select
import shutil
import signal
import socket
import sys

# Used by these libraries in their own ways on each system; they are loaded before it is changed.
import click  # noqa: F401
import filelock  # locks by the real system, as on Windows by its own
import numpy as np  # noqa: F401
import torch  # noqa: F401
import torchvision  # noqa: F401
import tqdm

tqdm.tqdm.get_lock()  # a lock of Linux

ABSENT = {
    "macos": {
        os: "fdatasync memfd_create MFD_CLOEXEC posix_fadvise posix_fallocate process_cpu_count"
        " sched_getaffinity sched_setaffinity",
        socket: "MSG_CMSG_CLOEXEC",
    },
    "windows": {
        os: "O_CLOEXEC O_DIRECTORY O_NOFOLLOW O_NONBLOCK O_NOCTTY O_SYNC MFD_CLOEXEC chown confstr"
        " fchdir fchmod fchown fdatasync fork forkpty geteuid getgid getloadavg getpgid getppid"
        " getuid killpg lchown lockf major memfd_create mkfifo mknod nice pathconf posix_fadvise"
        " posix_fallocate pread preadv process_cpu_count pwrite pwritev sched_getaffinity"
        " sched_setaffinity sendfile set_blocking setsid statvfs sync sysconf uname wait3",
        signal: "SIGALRM SIGCHLD SIGHUP SIGKILL SIGPIPE SIGUSR1 SIGUSR2 alarm getitimer pause"
        " setitimer sigpending sigwait",
        select: "epoll poll PIPE_BUF",
        socket: "AF_UNIX MSG_CMSG_CLOEXEC MSG_DONTWAIT recv_fds send_fds socketpair",
        mmap: "MADV_DONTNEED MADV_SEQUENTIAL MAP_SHARED PROT_READ",
    },
}
MODULES = {
    "macos": (),
    "windows": ("fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty"),
}
FILES = ("/proc", "/sys")  # of Linux alone


def become(system: str) -> None:
    """Remove from this process what a system lacks."""
    open_before = os.open
    opens = set(os.listdir("/proc/self/fd"))

    def names_open() -> set[str]:
        found = set()
        with contextlib.suppress(FileNotFoundError):
            for number in set(real_listdir("/proc/self/fd")) - opens:
                with contextlib.suppress(OSError):
                    found.add(os.readlink(f"/proc/self/fd/{number}"))
        with real_open("/proc/self/maps", encoding="utf-8") as maps:
            found |= {line.split(None, 5)[-1].strip() for line in maps}
        return found

    real_listdir, real_open = os.listdir, open
    for module in MODULES[system]:
        sys.modules[module] = None
    for module, names in ABSENT[system].items():
        for name in names.split():
            if hasattr(module, name):
                delattr(module, name)
    multiprocessing.set_start_method("spawn", force=True)
    _hide_linux(real_open)
    _hide_symbols()
    if system == "windows":
        _like_windows(open_before, names_open)


def _hide_linux(real_open):
    """Let `moderate` find no files of /proc and /sys; other libraries know where they are."""
    import builtins

    def opened(path, *args, **options):
        asks = sys._getframe(1).f_globals.get("__name__", "")
        if asks.startswith(("moderate_cli", "pathlib")) and str(path).startswith(FILES):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        return real_open(path, *args, **options)

    builtins.open = opened


def _hide_symbols():
    """Let C libraries lack functions of glibc."""
    real = ctypes.CDLL

    class Library(real):
        def __getattr__(self, name):
            if name in ("renameat2", "stderr"):
                raise AttributeError(name)
            return super().__getattr__(name)

    def loaded(name, *args, **options):
        if name is None and "fcntl" in sys.modules and sys.modules["fcntl"] is None:
            raise TypeError("bad argument type for built-in operation")
        return Library(name, *args, **options)

    ctypes.CDLL = loaded


def _like_windows(open_before, names_open):
    """Refuse what Windows refuses: to open folders, to rename open files, to make links."""
    os.supports_dir_fd = set()
    os.supports_follow_symlinks = {os.stat}
    shutil._use_fd_functions = shutil._USE_CP_SENDFILE = False

    def opened(path, flags, *args, **options):
        if not isinstance(path, int) and os.path.isdir(path):
            raise PermissionError(errno.EACCES, "Permission denied", os.fspath(path))
        return open_before(path, flags, *args, **options)

    def in_use(*paths):
        for path in map(os.path.abspath, paths):
            for name in names_open():
                if name == path or name.startswith(f"{path}/"):
                    raise PermissionError(
                        errno.EACCES,
                        "The process cannot access the file because it is being used by another"
                        " process",
                        name,
                    )

    rename, replace, unlink = os.rename, os.replace, os.unlink

    def renamed(source, target, **options):
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, "Cannot create a file that exists", target)
        in_use(os.fspath(source))
        rename(source, target, **options)

    def replaced(source, target, **options):
        if os.path.isdir(target):
            raise PermissionError(errno.EACCES, "Access is denied", target)
        in_use(os.fspath(source), os.fspath(target))
        replace(source, target, **options)

    def unlinked(path, **options):
        in_use(os.fspath(path))
        unlink(path, **options)

    def no_link(source, *_args, **_options):
        raise OSError(errno.EINVAL, "A required privilege is not held by the client", source)

    os.open, os.rename, os.replace = opened, renamed, replaced
    os.unlink = os.remove = unlinked
    os.symlink = no_link
    if hasattr(mmap.mmap, "madvise"):
        _without_madvise()


def _without_madvise():
    real = mmap.mmap

    class Map(real):
        @property
        def madvise(self):
            raise AttributeError("madvise")

    mmap.mmap = Map


def main(system, folder, *args):
    """Run commands in a folder, and write the exit status of each to stderr."""
    assert filelock.lock_descriptor
    os.chdir(folder)
    become(system)
    from moderate_cli.cli import main as run  # with all that it imports, after the change

    rest = list(args)
    while rest:
        end = rest.index("then") if "then" in rest else len(rest)
        try:
            run(rest[:end])
        except SystemExit as ended:
            print(f"exit {ended.code}", file=sys.stderr)
        del rest[: end + 1]


if __name__ == "__main__":
    main(*sys.argv[1:])
