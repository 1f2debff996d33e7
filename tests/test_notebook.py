"""The notebook of egs/demo: it runs from its first cell to its last, and holds no outputs."""

import re

import nbformat
import pytest
from nbclient import NotebookClient
from test_house import ROOT

PATH = ROOT / "egs" / "demo" / "demo.ipynb"


@pytest.fixture(scope="module")
def notebook():
    return nbformat.read(PATH, as_version=4)


def test_it_is_committed_without_outputs(notebook):
    """The real song's sound has a licence of its own."""
    assert not [cell for cell in notebook.cells if cell.get("outputs")]
    assert not [cell for cell in notebook.cells if cell.get("execution_count")]


def test_it_runs(notebook, artefacts, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    client = NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": PATH.parent}}
    )
    client.execute()
    nbformat.write(notebook, artefacts / "demo.ipynb")
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    printed = "".join(output.text for output in outputs if output.output_type == "stream")
    data = [output.data for output in outputs if "data" in output]
    assert sum("image/png" in found for found in data) == 4
    assert sum("<audio" in found.get("text/html", "") for found in data) == 10

    def score(name: str) -> float:
        (found,) = re.findall(rf"^{name}:?\s+(-?[\d.]+)", printed, re.MULTILINE)
        return float(found)

    floor, ceiling = score("the mixture itself(?=:)"), score("ideal ratio mask(?=:)")
    assert floor < score(r"after \d+ steps") < ceiling
    assert score("karaoke-small") > score("the mixture itself(?= )")
    assert "Traceback" not in printed
