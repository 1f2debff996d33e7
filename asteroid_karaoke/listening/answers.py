"""What listeners answered, with the key: who was preferred, and whether chance would do it too."""

import json
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHOICES = ("first", "second", "none")


@dataclass(frozen=True)
class Verdict:
    """Preferences over all answers.

    Args:
        a: The one folder, as it was given.
        b: The other one.
        songs: For each song how often ``a``, ``b`` and ``none`` was preferred.
        listeners: Number of listeners.
        p_value: Of the exact two-sided binomial test of a against b, no preference left out: how
            often chance alone would give a difference as large. It takes answers as independent,
            which several of one listener, or of one song, are but in part. None without answers
            that prefer one.
    """

    a: str
    b: str
    songs: dict[str, Counter]
    listeners: int
    p_value: float | None

    @property
    def total(self) -> Counter:
        """How often ``a``, ``b`` and ``none`` was preferred in all."""
        return sum(self.songs.values(), Counter())

    def __str__(self) -> str:
        total = self.total
        answers, decided = total.total(), total["a"] + total["b"]
        lines = [f"{answers} answers by {self.listeners} listener(s), {decided} with a preference"]
        lines += [f"{self.a}: {total['a']}", f"{self.b}: {total['b']}", f"none: {total['none']}"]
        if self.p_value is not None:
            lines.append(f"two-sided binomial test: p = {self.p_value:.3g}")
        for song, counts in sorted(self.songs.items()):
            lines.append(f"  {song}: {counts['a']} : {counts['b']}, none {counts['none']}")
        return "\n".join(lines)


def unblind(key: str | os.PathLike, answers: Iterable[str | os.PathLike]) -> Verdict:
    """Count answers.

    Args:
        key: What `make_page` wrote beside the page's folder.
        answers: Files that listeners downloaded from the page.

    Raises:
        FileNotFoundError: A file does not exist.
        ValueError: A file is damaged, of another page, or there twice.
    """
    from scipy.stats import binomtest

    known = _read(Path(key), ("page", "a", "b", "trials"), "key")
    songs: dict[str, Counter] = {trial["song"]: Counter() for trial in known["trials"]}
    seen: dict[str, Path] = {}
    for path in map(Path, answers):
        found = _read(path, ("page", "listener", "answers"), "answers")
        if found["page"] != known["page"]:
            raise ValueError(f"{path} answers another page than {key} is of: give its own key")
        if found["listener"] in seen:
            raise ValueError(
                f"{path} and {seen[found['listener']]} are one listener's: give the later one only"
            )
        seen[found["listener"]] = path
        for number, choice in _choices(found["answers"], len(known["trials"]), path):
            trial = known["trials"][number]
            other = "b" if trial["first"] == "a" else "a"
            side = {"first": trial["first"], "second": other}.get(choice, "none")
            songs[trial["song"]][side] += 1
    total = sum(songs.values(), Counter())
    decided = total["a"] + total["b"]
    p_value = float(binomtest(total["a"], decided).pvalue) if decided else None
    return Verdict(known["a"], known["b"], songs, len(seen), p_value)


def _choices(answers: Any, count: int, path: Path) -> Iterable[tuple[int, str]]:
    """Numbers of trials with what was chosen; a trial without an answer is left out."""
    if not isinstance(answers, list) or len(answers) != count:
        raise ValueError(f"{path} does not have an answer, or null, for each of {count} songs")
    for number, choice in enumerate(answers):
        if choice is not None and choice not in CHOICES:
            raise ValueError(f"{path}: {choice!r} is no answer, expected {', '.join(CHOICES)}")
        if choice is not None:
            yield number, choice


def _read(path: Path, wanted: tuple[str, ...], kind: str) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        missing = [name for name in wanted if name not in found]
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} is no file of {kind}: {error}") from error
    if missing:
        raise ValueError(f"{path} is no file of {kind}: it has no {missing[0]}")
    return found
