"""Image formats: images by their suffix, formats by the first bytes of a file."""

from __future__ import annotations

import contextlib
import importlib.util

# torchvision.datasets.folder.IMG_EXTENSIONS, copied so that listing files does not load torch.
IMAGE_EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
# Other suffixes that Pillow reads, copied so that listing files does not load Pillow. Without icons
# (.ico .icns .cur .xbm .xpm .emf), documents (.psd .pdf .eps .fits .h5) and films (.mpg).
MORE_EXTENSIONS = (
    *(".jfif", ".jpe", ".jif", ".mpo"),  # JPEG
    *(".jp2", ".j2k", ".jpf", ".jpx", ".jpc", ".j2c"),  # JPEG 2000
    *(".gif", ".apng", ".avif", ".dib", ".tga", ".pbm", ".pnm", ".qoi", ".pcx", ".dds", ".sgi"),
)
HEIF_EXTENSIONS = (".heic", ".heif", ".hif")
INSTALL_HEIF = "pip install 'moderate-cli[heif]'"  # pillow-heif

# First bytes, and the format that has them.
SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"qoif", "QOI"),
)
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"mif2")
HEAD = 32  # bytes that identify a format

LFS_POINTER = b"version https://git-lfs"  # first bytes of a pointer to a large file


def reads_heif() -> bool:
    """Whether the package that reads HEIF is installed."""
    return importlib.util.find_spec("pillow_heif") is not None


def readable_extensions() -> tuple[str, ...]:
    """Return the suffixes of images that can be read; those of HEIF only with its package."""
    return (*IMAGE_EXTENSIONS, *MORE_EXTENSIONS, *(HEIF_EXTENSIONS if reads_heif() else ()))


def register_readers() -> None:
    """Let Pillow read HEIF, if the package for it is installed."""
    # If it is installed but broken, the error of each image names the package.
    with contextlib.suppress(ImportError):
        import pillow_heif

        pillow_heif.register_heif_opener()


def format_of(head: bytes) -> str:
    r"""Identify an image format by the first `HEAD` bytes of a file; "" if unknown.

    >>> format_of(b"\xff\xd8\xff\xe0\0\x10JFIF"), format_of(b"# Readme")
    ('JPEG', '')
    """
    for signature, name in SIGNATURES:
        if head.startswith(signature):
            return name
    if head[4:8] == b"ftyp":
        brands = {head[8:12], *(head[start : start + 4] for start in range(16, len(head), 4))}
        if brands & {b"avif", b"avis"}:
            return "AVIF"
        return "HEIF" if brands & set(HEIF_BRANDS) else ""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[:2] == b"BM" and head[6:10] == b"\0\0\0\0":
        return "BMP"
    return ""


def unidentified(content: bytes) -> str:
    r"""Return the reason why Pillow cannot identify a file.

    >>> unidentified(b"version https://git-lfs.github.com/spec/v1")
    'is a Git LFS pointer; git lfs pull gets the image'
    """
    name = format_of(content[:HEAD])
    if name == "HEIF":
        return f"is HEIF, which needs a missing package; {INSTALL_HEIF}"
    if name == "AVIF":
        return "is AVIF, which this Pillow cannot read; pip install -U pillow"
    if name == "JPEG XL":
        return "is JPEG XL, which cannot be read; convert it to PNG"
    if content.startswith(LFS_POINTER):
        return "is a Git LFS pointer; git lfs pull gets the image"
    return "is not an image in a known format"
