"""The notebook of the documentation runs, in one process from the first cell to the last.

Its cells are plain Python, and lines of shell after `!`, so no kernel is needed to run them.
"""

import ast
import json
import re

from tests.docs.pages import ROOT
from tests.docs.sessions import Shell

NOTEBOOK = ROOT / "moderate_cli" / "docs" / "notebook.ipynb"
FACTS = json.loads(NOTEBOOK.read_text())
CELLS = ["".join(cell["source"]) for cell in FACTS["cells"] if cell["cell_type"] == "code"]
# Shows the value of the last line of each cell, as a notebook does.
SHOW = """
def show(value):
    html = getattr(value, "_repr_html_", None)
    if hasattr(value, "to_dict"):
        print("chart:", value.to_dict()["$schema"])
    elif html is not None:
        print("table:", html())
    elif value is not None:
        print("line:", value)
"""


def as_script():
    """The cells as a script; a value in the last line of a cell is shown."""
    parts = ["import subprocess", SHOW]
    for cell in CELLS:
        text = re.sub(r"^!(.*)$", r'subprocess.run("\1", shell=True, check=True)', cell, flags=re.M)
        tree = ast.parse(text)
        if isinstance(tree.body[-1], ast.Expr) and not cell.startswith("!"):
            tree.body[-1].value = ast.Call(ast.Name("show"), [tree.body[-1].value], [])
        parts.append(ast.unparse(ast.fix_missing_locations(tree)))
    return "\n".join(parts)


def test_the_notebook_runs(tmp_path):
    shell = Shell(tmp_path)
    (tmp_path / "notebook.py").write_text(as_script())
    printed = shell.run("python notebook.py 2> messages && echo done")
    assert printed.endswith("done\n"), (tmp_path / "messages").read_text()
    shown = [line.partition(": ")[0] for line in printed.splitlines() if ": " in line]
    kinds = [one for one in shown if one in ("line", "table", "chart")]
    assert kinds == [
        "line", "line", "table", "chart", "table", "chart", "table", "chart", "line",
    ]  # fmt: skip
    assert "line: Dataset(360 images, 6 classes, in" in printed
    assert "line: torch.Size([32, 3, 128, 128])" in printed
    assert len((tmp_path / "notebook-kept.json").read_text()) > 1000


def test_the_notebook_has_no_outputs_that_could_drift():
    assert (FACTS["nbformat"], FACTS["nbformat_minor"]) == (4, 5)
    assert all(not cell.get("outputs") for cell in FACTS["cells"])
    ids = [cell["id"] for cell in FACTS["cells"]]
    assert len(set(ids)) == len(ids)
