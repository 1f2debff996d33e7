"""A page on which somebody hears two versions of each song without knowing which is whose.

Order of songs, and of the two versions of each, are drawn anew for each page. Who is who stands in
a key beside the page's folder, which listeners do not get. Levels are left as they are: a louder
version is often preferred, so compare systems that keep the mixture's level.
"""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path

import numpy as np

from .. import audio
from ..inputs import SUFFIXES
from ..measures import loudest
from ..parts import write_whole
from ..results import FILE_NAMES

#: Names that a stem's files may have.
STEMS = {"karaoke": FILE_NAMES["accompaniment"], "vocals": FILE_NAMES["vocals"]}
QUESTIONS = {
    "karaoke": "Which one would you rather sing to?",
    "vocals": "Which one is the better voice?",
}
#: Rate at which two versions are compared to find the excerpt, in Hz.
_RATE = 44100
#: Of the excerpt's ends, in s.
_FADE = 0.02
#: Lengths of two versions may differ by so much, in s: some formats add a little silence.
_SLACK = 0.2


@dataclass(frozen=True)
class Trial:
    """One song of a page: whose version is heard as the first, ``a`` or ``b``."""

    song: str
    first: str


def make_page(
    a: str | os.PathLike,
    b: str | os.PathLike,
    output: str | os.PathLike,
    stem: str = "karaoke",
    seconds: float = 15.0,
    seed: int | None = None,
) -> Path:
    """Write the page, its sounds and the key.

    Args:
        a: Folder of estimates: ``<song>/karaoke.*`` (or ``accompaniment.*``, ``vocals.*``), or
            ``<song>_karaoke.*`` as ``separate`` writes them.
        b: Another one. What songs both have is compared.
        output: The page's folder, which must not hold anything. The key goes beside it, to
            ``<output>.key.json``.
        stem: ``karaoke`` or ``vocals``.
        seconds: Length of what is heard of each song: where the two differ most.
        seed: Of the orders. None: drawn by the system, and kept in the key.

    Returns:
        The key's path.

    Raises:
        FileNotFoundError: A folder does not exist.
        FileExistsError: The page's folder holds something, or there is a key already.
        ValueError: No song is in both, two versions have other lengths, or nothing would be heard.
    """
    if not seconds > 0:
        raise ValueError(f"{seconds} s of each song can not be heard: expected more than 0")
    places = {"a": Path(a), "b": Path(b)}
    found = {side: stem_files(folder, stem) for side, folder in places.items()}
    songs = sorted(found["a"].keys() & found["b"].keys())
    if not songs:
        raise ValueError(
            f"no song is in both {a} and {b}: expected <song>/{stem}.* or <song>_{stem}.* in each"
        )
    output = Path(output)
    key_path = output.absolute().with_name(f"{output.absolute().name}.key.json")
    for path in (output, key_path):
        if path.exists() and (path == key_path or not path.is_dir() or any(path.iterdir())):
            raise FileExistsError(f"{path} exists: name another folder, answers belong to one page")
    seed = int.from_bytes(os.urandom(4), "big") if seed is None else seed
    trials = draw(songs, seed)
    identity = _identity(places, trials, seed)
    sounds = []
    for number, trial in enumerate(trials, 1):
        pair = {side: found[side][trial.song] for side in "ab"}
        second = "b" if trial.first == "a" else "a"
        names = [f"audio/{number:03d}-{place}.flac" for place in (1, 2)]
        cut = excerpts(pair, seconds, trial.song)
        for name, side in zip(names, (trial.first, second), strict=True):
            wav, rate = cut[side]
            audio.write(output / name, wav, rate)
        sounds.append({"song": trial.song, "sounds": names})
    write_whole(output / "index.html", _html(sounds, QUESTIONS[stem], identity).encode())
    key = {"page": identity, "seed": seed, "stem": stem, "a": str(a), "b": str(b)}
    key["trials"] = [asdict(trial) for trial in trials]
    return write_whole(key_path, (json.dumps(key, indent=1) + "\n").encode())


def draw(songs: list[str], seed: int) -> list[Trial]:
    """The songs in a random order, each version being the first in half of them."""
    rng = np.random.default_rng(seed)
    firsts = rng.permutation(["ab"[index % 2] for index in range(len(songs))])
    order = rng.permutation(len(songs))
    return [Trial(songs[index], str(first)) for index, first in zip(order, firsts, strict=True)]


def stem_files(folder: Path, stem: str) -> dict[str, Path]:
    """The files of a stem in a folder of estimates, by song.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: A song has two of them.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is not a folder: expected one with estimates of songs")
    found: dict[str, Path] = {}
    # Unlike "**", these follow a link to a folder.
    paths = sorted(path for depth in ("*", "*/*", "*/*/*") for path in folder.glob(depth))
    for path in (path for path in paths if path.suffix.lower() in SUFFIXES):
        for name in STEMS[stem]:
            if path.stem == name:
                song = str(path.parent.relative_to(folder))
            elif path.stem.endswith(f"_{name}"):
                song = str(path.relative_to(folder).with_name(path.stem.removesuffix(f"_{name}")))
            else:
                continue
            if song in found:
                raise ValueError(f"song {song!r} is there twice: {found[song]} and {path}")
            found[song] = path
    return found


def excerpts(
    files: dict[str, Path], seconds: float, song: str
) -> dict[str, tuple[np.ndarray, int]]:
    """The part of two versions where they differ most, each with its rate in Hz.

    Raises:
        ValueError: A file can not be read, or they are not of one length.
    """
    wavs = {side: audio.read(path) for side, path in files.items()}
    rates = {side: audio.sample_rate(path) for side, path in files.items()}
    lengths = [wavs[side].shape[1] / rates[side] for side in files]
    if abs(lengths[0] - lengths[1]) > _SLACK or not min(lengths):
        raise ValueError(
            f"song {song!r}: {' and '.join(map(str, files.values()))} are {lengths[0]:.2f} s and "
            f"{lengths[1]:.2f} s long: they are not versions of one song"
        )
    mono = [audio.resample(wavs[s].mean(axis=0, keepdims=True), rates[s], _RATE) for s in files]
    size = min(wav.shape[1] for wav in mono)
    start = loudest(mono[0][:, :size] - mono[1][:, :size], _RATE, seconds) / _RATE
    cut = {}
    for side, wav in wavs.items():
        rate = rates[side]
        piece = wav[:, round(start * rate) : round((start + seconds) * rate)].copy()
        edge = min(round(_FADE * rate), piece.shape[1] // 2)
        if edge:
            ramp = np.linspace(0, 1, edge, dtype=np.float32)
            piece[:, :edge] *= ramp
            piece[:, -edge:] *= ramp[::-1]
        cut[side] = (piece, rate)
    return cut


def _identity(places: dict[str, Path], trials: list[Trial], seed: int) -> str:
    facts = [[str(path) for path in places.values()], [asdict(trial) for trial in trials], seed]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def _html(trials: list[dict], question: str, identity: str) -> str:
    from jinja2 import Environment, StrictUndefined

    package = resources.files("asteroid_karaoke")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    template = (package / "listening" / "page.html").read_text(encoding="utf-8")
    # tojson escapes what would end the script.
    return environment.from_string(template).render(
        style=(package / "report" / "page.css").read_text(encoding="utf-8"),
        question=question,
        trials=trials,
        identity=identity,
    )
