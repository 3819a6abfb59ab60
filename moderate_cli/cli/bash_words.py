"""Completion in bash, which breaks words at a colon, such as timm:vit_base and moderate:0.25."""

from __future__ import annotations

from click.shell_completion import BashComplete, CompletionItem


class BashWords(BashComplete):
    """Joins the pieces of a word, and completes the last of them, which bash replaces."""

    _before = ""  # the pieces that bash leaves as they are

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the one to complete, and that word."""
        words, incomplete = super().get_completion_args()
        *joined, last = _joined([*words, incomplete])
        if last != incomplete:  # where COMP_WORDBREAKS has no colon, nothing was broken
            self._before = last[: last.rindex(":") + 1]
        return joined, last

    def format_completion(self, item: CompletionItem) -> str:
        """Return what replaces the last piece."""
        return f"{item.type},{item.value.removeprefix(self._before)}"


def _joined(pieces: list[str]) -> list[str]:
    """Join pieces around colons; an empty one is a new word.

    >>> _joined(["embed", "--backbone", "timm", ":", "vit"]), _joined(["timm", ":", ""])
    (['embed', '--backbone', 'timm:vit'], ['timm:', ''])
    """
    words = list[str]()
    for piece in pieces:
        if words and (piece == ":" or (piece and words[-1].endswith(":"))):
            words[-1] += piece
        else:
            words.append(piece)
    return words
