"""STUB: the rule by which a picture's bytes become pixels."""

from __future__ import annotations

from moderate_cli.backbones import DEFAULT_MAX_PIXELS, RULE

__all__ = ["DEFAULT_MAX_PIXELS", "RULE", "changed_since"]

_PNG = b"\x89PNG\r\n\x1a\n"


def changed_since(content: bytes, rule: int) -> bool:
    """Whether the pixels of an image are others than an older rule made; never raises."""
    if rule >= RULE or not content.startswith(_PNG):
        return False
    return content[25:26] in (b"\x04", b"\x06") or b"tRNS" in content[:4096]
