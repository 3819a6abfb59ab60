"""Names of classes that try to break out of the page, the terminal or the line."""

import os

HOSTILE = [
    "<script>pwned=1<",
    "<img src=x onerror=pwned=1>",
    "\"'><svg onload=pwned=1>",
    "new\nline",
    "\u202ertl\u2028",
    os.fsdecode(b"\xff"),
    "{{ 7 * 7 }}${7 * 7}",
]
