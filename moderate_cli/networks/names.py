"""Names of the models of other libraries, found in their files without loading them.

Loading takes seconds, so shell completion and near misses use these. The library itself decides
whether it knows a model.
"""

from __future__ import annotations

import functools
import importlib.util
import re
from pathlib import Path

REGISTERED = re.compile(r"^@register_model\ndef (\w+)\(", re.MULTILINE)


@functools.cache
def models_of(library: str) -> tuple[str, ...]:
    """Return the models of "timm" or "open_clip", sorted; none if it is not installed."""
    found = importlib.util.find_spec(library)
    if found is None or found.origin is None:
        return ()
    folder = Path(found.origin).parent
    if library == "open_clip":
        return tuple(sorted(path.stem for path in (folder / "model_configs").glob("*.json")))
    sources = (path.read_text(encoding="utf-8") for path in (folder / "models").glob("*.py"))
    return tuple(sorted(name for source in sources for name in REGISTERED.findall(source)))
