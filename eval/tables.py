"""Put the results of record into the README: `make results`.

    PYTHONPATH=. python eval/tables.py

A table in the README that stands below ``<!-- eval/results/NAME.json CORPUS -->`` is made of that
record's scores of that corpus. tests/test_evidence.py fails where the two differ.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from asteroid_karaoke import results
from asteroid_karaoke.parts import write_whole
from asteroid_karaoke.report.collect import label

ROOT = Path(__file__).resolve().parent.parent
#: The comment, an empty line, and the lines of the table.
PLACE = re.compile(r"(<!-- (eval/results/\S+\.json) (.+?) -->\n\n)((?:\|.*\n)+)")
#: Weights, in millions, of peers, which records do not count.
WEIGHTS = {"spleeter": 19.6}


def main(readme: Path) -> None:
    """Regenerate the tables of one file."""
    text = readme.read_text(encoding="utf-8")
    write_whole(readme, regenerate(text).encode())
    print(f"{readme}: {len(PLACE.findall(text))} tables")


def regenerate(text: str, root: Path = ROOT) -> str:
    """A text with its tables as the records have them.

    Raises:
        ValueError: A record is missing or damaged, or has no such corpus.
    """
    return PLACE.sub(lambda found: found[1] + table(root / found[2], found[3]) + "\n", text)


def table(path: Path, corpus: str) -> str:
    """A record's table of one corpus."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        finals = record["scores"][corpus]
        return results.table({name_of(name, record): finals[name] for name in finals}, True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} has no scores of {corpus!r} ({error!r}): score anew") from error


def name_of(system: str, record: dict[str, Any]) -> str:
    """A system's name, with the number of its weights."""
    count = record.get("models", {}).get(system, {}).get("parameters")
    weights = count / 1e6 if count else WEIGHTS.get(system)
    return label(system) if weights is None else f"{label(system)}, {weights:.1f} M weights"


if __name__ == "__main__":
    try:
        main(ROOT / "README.md")
    except (OSError, ValueError) as error:
        sys.exit(f"eval/tables.py: {error}")
