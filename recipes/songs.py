"""From a song's files to its line in a manifest: open, hear, decode if wished, many at a time.

What the recipes share. A corpus' own file (``recipes/<corpus>.py``) finds the songs, as `Entry`s;
here each is heard from end to end once, so that what is corrupt, silent or of unequal length is
found now and not in the third hour of training. A fault costs one song, never the rest; what is
finished is written down and not done again by a second run.
"""

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from asteroid_karaoke import audio, cluster, manifest
from asteroid_karaoke.manifest import Song
from asteroid_karaoke.parts import sweep, write_whole

from . import pcm

Stems = Mapping[str, tuple[str, ...]]
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """A song as it lies on the disk, not opened yet.

    Args:
        id: Unique within its corpus, and a path below the folder of decoded songs.
        stems: Sources of each stem that there is: ``vocals``, ``accompaniment``, ``mixture``.
        key: What its split is drawn by: its folder's name, or its artist.
        split: Its split, where that is known, else None.
        licence: As its source states it.
        facts: What else is known of it: its row of the corpus' index.
    """

    id: str
    stems: Stems
    key: str
    split: str | None = None
    licence: str = "unknown"
    facts: Mapping[str, str] = field(default_factory=dict)


class Fault(NamedTuple):
    """A song that was left out, and why."""

    id: str
    reason: str


def split_of(key: str, valid: float, test: float) -> str:
    """Draw a split by a hash, so that a missing or an added song never moves another.

    Args:
        key: What is drawn by: the name of a song's folder, or its artist.
        valid: Share of all keys that goes to ``valid``.
        test: Share of all keys that goes to ``test``; the rest goes to ``train``.
    """
    drawn = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") / 2**64
    if drawn < test:
        return "test"
    return "valid" if drawn < test + valid else "train"


def prepare_song(entry: Entry, *, corpus: str, output_dir: Path, decode: bool) -> list[Song]:
    """Hear a song from end to end, and say what it can be used for.

    The role follows from what sounds: a song without a voice is music, one without a backing is
    voice. The song's span leaves out the silence at both ends. A mixture counts only where nothing
    else is there, since datasets mix the stems themselves.

    Args:
        entry: The song.
        corpus: Name of its corpus.
        output_dir: Where its record is kept, by which a second run spares the work, and its stems,
            if decoded.
        decode: Store each stem as one 44.1 kHz stereo wav, all turned down alike where one clips.

    Returns:
        One song.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: A file can not be read, the stems do not fit together, or nothing sounds.
    """
    return remembered(
        output_dir,
        entry,
        {"decode": decode},
        lambda: [hear_song(entry, corpus=corpus, output_dir=output_dir, decode=decode)],
    )


def hear_song(entry: Entry, *, corpus: str, output_dir: Path, decode: bool) -> Song:
    """Do the work of `prepare_song`, whatever was done before; arguments and errors as there."""
    stems = _used(entry.stems)
    shape = _check_alike(stems, decode)
    heard = {stem: pcm.listen(stems[stem], *shape) for stem in stems}
    sounding = [stem for stem in stems if heard[stem].end]
    if not sounding:
        raise ValueError("is silent: nothing in it is louder than 60 dB below full scale")
    sources = {stem: stems[stem] for stem in sounding}
    if decode:
        gain = pcm.gain_for(*(heard[stem].peak for stem in sounding))
        folder = output_dir / "audio" / entry.id
        sweep(folder)
        for stem in sounding:
            sources[stem] = (pcm.decode(stems[stem], folder / f"{stem}.wav", gain),)
    return Song(
        id=entry.id,
        split=entry.split or "train",
        corpus=corpus,
        role=_ROLE_OF[frozenset(sources)],
        licence=entry.licence,
        sample_rate=shape[0],
        channels=shape[1],
        frames=heard[sounding[0]].frames,
        start=min(heard[stem].first for stem in sounding),
        stop=max(heard[stem].end for stem in sounding),
        vocals=sources.get("vocals"),
        accompaniment=sources.get("accompaniment"),
        mixture=sources.get("mixture"),
    )


_ROLE_OF = {frozenset(stems): role for role, stems in manifest.ROLES.items()}


def remembered(
    output_dir: Path,
    entry: Entry,
    settings: Mapping[str, object],
    prepare: Callable[[], list[Song]],
) -> list[Song]:
    """Do the work for one song, or find it done.

    Args:
        output_dir: Below it, ``songs`` keeps the outcomes. One counts as long as the song's files
            (path, size and time), the settings and the files that it names are as they were.
        entry: The song. Its split and licence are taken as they are now.
        settings: What else the outcome depends on.
        prepare: Does the work.
    """
    record = output_dir / "songs" / f"{entry.id}.json"
    made_from = {"settings": dict(settings), "files": stamps(entry.stems)}
    songs = _recall(record, made_from)
    if songs is None:
        songs = prepare()
        write_json(record, {"made_from": made_from, "songs": [asdict(song) for song in songs]})
    return [replace(s, split=entry.split or "train", licence=entry.licence) for s in songs]


def prepare_all(
    prepare: Callable[[Entry], list[Song]],
    entries: Iterable[Entry],
    jobs: int,
    title: str,
    scheduler: str | None = None,
) -> tuple[list[Song], list[Fault]]:
    """Prepare many songs, several at a time, with a progress bar.

    Args:
        prepare: Gives the songs that an entry becomes. It is handed to other processes, so it must
            be picklable.
        entries: The songs.
        jobs: How many are worked on at a time; -1 for one a core.
        title: Stands before the bar.
        scheduler: Address of a Dask scheduler whose workers do it instead, see
            `asteroid_karaoke.cluster`.

    Returns:
        The songs, in the order of the entries, and those that could not be used.

    Raises:
        OSError, ValueError: As `cluster.run`.
    """
    from tqdm import tqdm

    entries = list(entries)
    outcomes = cluster.run(partial(_attempt, prepare), entries, jobs, scheduler)
    songs: list[Song] = []
    faults: list[Fault] = []
    bar = tqdm(outcomes, total=len(entries), desc=title, unit="song")
    for entry, outcome in zip(entries, bar, strict=True):
        if isinstance(outcome, cluster.Lost):
            faults.append(Fault(entry.id, outcome.reason))
        elif isinstance(outcome, Fault):
            faults.append(outcome)
        else:
            songs += outcome
    return songs, faults


def write_manifests(
    songs: Iterable[Song], faults: Iterable[Fault], output_dir: str | os.PathLike
) -> dict[str, list[Song]]:
    """Validate the songs, write a manifest a split, and list in the log what was left out.

    Returns:
        The songs of each split.

    Raises:
        ValueError: There is not one song, or the validation finds faults.
    """
    songs, faults = list(songs), list(faults)
    left_out = "".join(f"\n  {fault.id}: {fault.reason}" for fault in faults)
    if not songs:
        raise ValueError(f"no song can be used:{left_out or ' there is none'}")
    manifest.validate(songs)
    splits = {split: [s for s in songs if s.split == split] for split in manifest.SPLITS}
    for split, chosen in splits.items():
        path = manifest.write(chosen, Path(output_dir) / f"{split}.jsonl")
        logger.info(
            "%s: %d songs, %.2f h", path, len(chosen), sum(s.seconds for s in chosen) / 3600
        )
    empty = [split for split, chosen in splits.items() if not chosen]
    if empty:
        logger.warning(
            "no song fell to %s: it takes more songs, or other shares where they can be chosen",
            " and ".join(empty),
        )
    if faults:
        logger.warning("%d song(s) or folder(s) left out:%s", len(faults), left_out)
    return splits


def _attempt(prepare: Callable[[Entry], list[Song]], entry: Entry) -> list[Song] | Fault:
    try:
        return prepare(entry)
    except (OSError, ValueError) as error:
        return Fault(entry.id, str(error))


def _used(stems: Stems) -> dict[str, tuple[str, ...]]:
    """The stems that a song is made of: the mixture only where it is alone."""
    if set(stems) == {"vocals", "mixture"}:
        raise ValueError("has vocals and a mixture, but no backing: add accompaniment.*")
    apart = {stem: stems[stem] for stem in ("vocals", "accompaniment") if stem in stems}
    return apart or {"mixture": stems["mixture"]}


def _check_alike(stems: Stems, decode: bool) -> tuple[int, int]:
    """Complain where files do not fit together; else give the rate and channels to work at."""
    first, *others = [audio.info(source) for sources in stems.values() for source in sources]
    # Decoding makes everything stereo, so there the channels may differ.
    for name in ("sample_rate", "frames") + (() if decode else ("channels",)):
        for other in others:
            if getattr(other, name) != getattr(first, name):
                raise ValueError(
                    f"{other.path} has {name} {getattr(other, name)}, {first.path} has "
                    f"{getattr(first, name)}: export all stems alike, over the song's whole length"
                )
    return (pcm.SAMPLE_RATE, pcm.CHANNELS) if decode else (first.sample_rate, first.channels)


def stamps(stems: Stems) -> dict[str, list]:
    """What tells whether a song's files are still the same; plain, as JSON gives it back."""

    def stamp(source: str) -> list:
        facts = audio.split_source(source)[0].stat()
        return [source, facts.st_size, facts.st_mtime_ns]

    return {stem: [stamp(source) for source in sources] for stem, sources in stems.items()}


def _recall(record: Path, made_from: dict) -> list[Song] | None:
    try:
        kept = json.loads(record.read_text(encoding="utf-8"))
        songs = [Song(**song) for song in kept["songs"]]
        alike = kept["made_from"] == made_from
    except (OSError, ValueError, TypeError, KeyError):
        return None
    sources = [audio.split_source(source)[0] for song in songs for _, source in song.sources()]
    return songs if alike and all(path.is_file() for path in sources) else None


def write_json(record: Path, content: object) -> None:
    """Write a file of JSON, whole or not at all."""
    write_whole(record, json.dumps(content).encode())
