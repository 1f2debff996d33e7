"""A model's card: what it was made of, how good it is, what it is for, and what it can not do.

The parts are those of model cards (Mitchell et al. 2019, https://arxiv.org/abs/1810.03993), and at
the head stands what the Hugging Face Hub reads.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from ..report.collect import CEILING, FLOOR, label
from ..results import table

#: Weights that have seen works which forbid to earn money share their terms.
LICENCES = {True: "CC BY-NC-SA 4.0", False: "CC BY-SA 4.0"}
INTENDED_USE = "Karaoke versions of songs, and research on source separation."
LIMITS = (
    "Lead and backing voices are not told apart. In music unlike the works below more of the voice "
    "remains, and instruments that sing, such as strings, are taken out with it. The scores hold "
    "for the songs that were scored, and no others."
)
#: Floor and ceiling, without which a score says little.
ENDS = {FLOOR: " (floor)", CEILING: " (ceiling)"}


@dataclass(frozen=True)
class Facts:
    """All that a card tells.

    Args:
        name: The model's.
        works: Licence dicts in Asteroid's form: ``title``, ``title_link``, ``author``,
            ``author_link``, ``license``, ``license_link``, ``non_commercial``.
        scores: By corpus and system, as `results.aggregate` gives them; ``mixture`` and
            ``ideal_ratio_mask`` among the systems.
        model_args: What the network was built with.
        sha256: Of the weights' file ``model.pth``.
        training: What it was trained with, by groups.
        labels: Where the works' stems come from, if not from those who recorded them.
    """

    name: str
    works: Sequence[Mapping[str, Any]]
    scores: Mapping[str, Mapping[str, Mapping[str, Any]]]
    model_args: Mapping[str, Any]
    sha256: str
    training: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    labels: str = ""

    @property
    def licence(self) -> str:
        """Of the weights, which the works' licences decide."""
        return LICENCES[any(work["non_commercial"] for work in self.works)]


def card(facts: Facts) -> str:
    """The text of ``README.md``.

    Raises:
        ValueError: It would lack the data and their licences, or floor and ceiling.
    """
    if not facts.works:
        raise ValueError(f"{facts.name}: nothing says what it was trained on, and who allows that")
    for corpus, systems in facts.scores.items():
        missing = [end for end in ENDS if end not in systems]
        if missing:
            raise ValueError(
                f"{facts.name}: its scores on {corpus} stand without {' and '.join(missing)}: "
                "score floor and ceiling in the same run"
            )
    if not facts.scores:
        raise ValueError(f"{facts.name}: it has no scores: score it before it is published")
    return "\n".join([_head(facts), *_body(facts)])


def _head(facts: Facts) -> str:
    head = {
        "license": facts.licence.lower().replace(" ", "-"),
        "library_name": "asteroid",
        "pipeline_tag": "audio-to-audio",
        "tags": ["asteroid", "audio", "karaoke", "music-source-separation", "singing-voice"],
    }
    return f"---\n{yaml.safe_dump(head, sort_keys=False)}---\n"


def _body(facts: Facts) -> list[str]:
    rate = facts.model_args.get("sample_rate", 44100)
    lines = [
        f"# {line(facts.name)}\n",
        f"Takes the singing voice out of songs: two stems, vocals and accompaniment, at {rate} Hz. "
        "A model of asteroid-karaoke, a plugin to Asteroid.\n",
        "```python",
        "import asteroid_karaoke",
        "",
        "# A file, or this repository's id.",
        'model = asteroid_karaoke.KaraokeNet.from_pretrained("model.pth")',
        "```\n",
        "## Intended use\n",
        f"{INTENDED_USE}\n",
        "## Limits\n",
        f"{LIMITS}\n",
        "## Scores\n",
        "BSSEval v4 as museval computes it, two stems, windows of 1 s, signals rounded to 16 bits; "
        "medians over seconds, then over songs, in dB. uSDR is of whole songs, and its mean over "
        "songs. Nothing is rescaled.\n",
    ]
    for corpus, systems in facts.scores.items():
        songs = systems[FLOOR]["songs"]
        shown = {label(name) + ENDS.get(name, ""): final for name, final in systems.items()}
        lines += [f"### {line(corpus)}: {songs} song{'s' * (songs != 1)}\n"]
        lines += [table(shown, whole_songs=True) + "\n"]
    lines += [
        "## Data\n",
        f"Trained on the works below, a row for each author and licence. {facts.labels}".strip(),
        f"The weights are licensed under {facts.licence}: works that forbid commercial use are "
        f"{'' if 'NC' in facts.licence else 'not '}among them.\n",
        "| work | author | licence | commercial use |",
        "| --- | --- | --- | --- |",
        *(_row(work) for work in facts.works),
        "",
        "## How it was made\n",
        *(f"- {key}: {value}" for key, value in facts.model_args.items()),
        *(
            f"- {group}: " + ", ".join(f"{key} {value}" for key, value in values.items())
            for group, values in facts.training.items()
        ),
        f"- SHA-256 of model.pth: `{facts.sha256}`",
        "",
    ]
    return lines


def _row(work: Mapping[str, Any]) -> str:
    cells = [
        (
            f"[{line(work[name])}]({line(work[f'{name}_link'])})"
            if str(work.get(f"{name}_link")).startswith(("https://", "http://"))
            else line(work[name])
        )
        for name in ("title", "author", "license")
    ]
    cells.append("no" if work["non_commercial"] else "yes")
    return f"| {' | '.join(cells)} |"


def line(text: Any) -> str:
    """Text as it stands in a line of markdown: no markup, no link, no cell of its own."""
    plain = " ".join(str(text).split())
    for mark in "\\|[]<>*_`":
        plain = plain.replace(mark, f"\\{mark}")
    return plain
