"""Bundled presets: options for a purpose, by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from moderate_cli.errors import check_choice

PACKAGE = Path(__file__).parent


def bundled() -> dict[str, Path]:
    """Return the files of the presets that come with the package, by name."""
    # In a wheel they are inside the package, in a checkout beside it.
    folders = (path / "configs" for path in (PACKAGE, PACKAGE.parent))
    folder = next(path for path in folders if path.is_dir())
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def preset(name: str) -> dict[str, Any]:
    """Return the options of a bundled preset, as keywords of `moderate_cli.select`.

    Raises
    ------
    ArgumentError
        If it is unknown.

    Examples
    --------
    >>> preset("noisy-labels")
    {'strategy': 'adaptive', 'drop_suspects': 'auto'}
    """
    import tomllib  # as in `moderate_cli.cli.config`

    files = bundled()
    check_choice("preset", name, files)
    content = tomllib.loads(files[name].read_text(encoding="utf-8"))
    return {key.replace("-", "_"): value for key, value in content.items()}
