"""Parts of texts that commands print: the table of an evaluation, messages of a selection."""


def table(text: str) -> list[list[str]]:
    """Return the cells of the header and of each row."""
    lines = text.splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith("strategy"))
    return [
        [cell.strip() for cell in line.split("  ") if cell.strip()]
        for line in lines[start : lines.index("", start)]
    ]


def without_closing(text: str) -> str:
    """Return the messages of `select` without its closing line, and the hint after it."""
    closing = ("moderate: Kept ", "moderate: Would keep ", "moderate: hint: the default is ")
    return "".join(line for line in text.splitlines(True) if not line.startswith(closing))
