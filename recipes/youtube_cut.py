"""From a fetched track to songs: cut, decode, and mix what is held out."""

import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np

from asteroid_karaoke import audio
from asteroid_karaoke.manifest import Song

from . import pcm
from .songs import Entry, Stems, remembered

#: A compilation's pieces last the first, in s, and begin every second, in s.
PIECE, EVERY = 60.0, 240.0
#: What is shorter, in s, is of no use.
SHORTEST = 5.0
#: Number of mixes in a split, at most, and their longest length in s.
MIXES, MIX = 20, 60.0
#: Share of the voice in a mix: mean, standard deviation, least and most.
SHARE = (0.6, 0.15, 0.1, 0.9)
#: Highest level of a mix and of its stems.
PEAK = 0.9
#: How often a place is drawn, and which share of the samples must sound there.
_ATTEMPTS, _LEAST = 20, 0.05
#: Role of a song that is one stem alone, and the folder that it is decoded to.
ROLES = {"vocals": "vocals", "accompaniment": "music"}


def prepare_track(entry: Entry, *, output_dir: Path) -> list[Song]:
    """Cut a track, or a compilation into pieces, and store it as FLAC; silent pieces are left out.

    Args:
        entry: One stem, with ``where``, ``seconds``, ``start_buffer``, ``end_buffer`` and
            ``compilation`` among its facts.
        output_dir: Below it go the record and ``audio``.

    Returns:
        A song a piece, whose span leaves out the silence at both ends.

    Raises:
        FileNotFoundError: The file is missing.
        ValueError: The file can not be read, the cuts leave too little, or nothing sounds.
    """
    ((stem, sources),) = entry.stems.items()
    names = ("seconds", "start_buffer", "end_buffer", "compilation")

    def prepare() -> list[Song]:
        spans = _spans(entry.facts)
        peak = max(
            float(np.abs(block).max()) for _, part in _parts(sources, spans) for block in part
        )
        if peak <= pcm.SILENCE:
            raise ValueError("is silent: nothing in it is louder than 60 dB below full scale")
        gain = pcm.gain_for(peak)
        folder = _emptied(output_dir / "audio" / entry.id)
        songs = []
        for number, part in _parts(sources, spans):
            song_id = f"{entry.id}-{number:03d}" if entry.facts["compilation"] == "y" else entry.id
            path = folder / f"{number:03d}.flac"
            with audio.AudioWriter(path, pcm.SAMPLE_RATE, pcm.CHANNELS, pcm.SUBTYPE) as writer:
                for block in part:
                    writer.write(gain * block)
            heard = pcm.listen([str(path)])
            if heard.end:
                songs.append(_song(entry, song_id, heard, {stem: (str(path),)}))
        return songs

    try:
        return remembered(output_dir, entry, {n: entry.facts[n] for n in names}, prepare)
    except ValueError as error:
        raise ValueError(f"{entry.facts['where']}: {error}") from error


def _emptied(folder: Path) -> Path:
    """A folder without what other cuts, or a run that was killed, have left in it."""
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def _song(entry: Entry, song_id: str, heard: pcm.Heard, stems: Stems) -> Song:
    """What was decoded, without the silence at both ends."""
    return Song(
        id=song_id,
        split=entry.split or "train",
        corpus="youtube",
        role=ROLES.get("".join(stems), "stems"),
        licence=entry.licence,
        sample_rate=pcm.SAMPLE_RATE,
        channels=pcm.CHANNELS,
        frames=heard.frames,
        start=heard.first,
        stop=heard.end,
        vocals=stems.get("vocals"),
        accompaniment=stems.get("accompaniment"),
    )


def _spans(facts: Mapping[str, str]) -> list[tuple[int, int]]:
    """Where the pieces begin and end, in samples."""
    seconds, start, end = (float(facts[n]) for n in ("seconds", "start_buffer", "end_buffer"))
    stop = seconds - end
    left = max(0.0, stop - start)
    if left < SHORTEST:
        raise ValueError(
            f"start_buffer {start:g} s and end_buffer {end:g} s leave {left:.1f} s of "
            f"{seconds:.1f} s, expected {SHORTEST:g} s or more: cut less, or drop the line"
        )
    if facts["compilation"] != "y":
        spans = [(start, stop)]
    else:
        begins = np.arange(start, stop, EVERY)
        spans = [(b, min(b + PIECE, stop)) for b in begins if stop - b >= SHORTEST]
    return [(round(a * pcm.SAMPLE_RATE), round(b * pcm.SAMPLE_RATE)) for a, b in spans]


def _parts(
    sources: Sequence[str], spans: Sequence[tuple[int, int]]
) -> Iterator[tuple[int, Iterator[np.ndarray]]]:
    """The number of each span with its blocks; the file is decoded once, up to the last one."""

    def blocks() -> Iterator[tuple[int, np.ndarray]]:
        position = 0
        for block in pcm.blocks(sources):
            for number, (begin, end) in enumerate(spans):
                part = block[:, max(0, begin - position) : max(0, end - position)]
                if part.size:
                    yield number, part
            position += block.shape[1]
            if position >= spans[-1][1]:
                return

    for number, members in groupby(blocks(), key=lambda pair: pair[0]):
        yield number, (part for _, part in members)


def draw_pairs(songs: Sequence[Song], seed: int) -> list[Entry]:
    """Choose which voice is mixed with which music.

    Each voice gets the music, and each music the voice, with which a hash of both is lowest
    (rendezvous hashing: Thaler and Ravishankar 1996, "A name-based mapping scheme for rendezvous").
    So a missing song changes no pair but its own.

    Args:
        songs: Voices and music of one split.
        seed: Another one makes other pairs.

    Returns:
        Voice and music, not mixed yet; MIXES at most.
    """
    long = [song for song in songs if song.seconds >= SHORTEST]
    voices, music = ([s for s in long if s.role == role] for role in ("vocals", "music"))
    if not voices or not music:
        return []

    def rank(pair: tuple[Song, Song]) -> int:
        return _hash(seed, pair[0].id, pair[1].id)

    chosen = [min(((v, m) for m in music), key=rank) for v in voices]
    chosen += [min(((v, m) for v in voices), key=rank) for m in music]
    by_rank = {rank(pair): pair for pair in chosen}
    return [_pair(*by_rank[place]) for place in sorted(by_rank)[:MIXES]]


def _hash(*words: object) -> int:
    text = " ".join(map(str, words))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def _pair(voice: Song, music: Song) -> Entry:
    assert voice.vocals and music.accompaniment
    names = [song.id.partition("/")[2] for song in (voice, music)]
    spans = {"vocals": (voice.start, voice.stop), "accompaniment": (music.start, music.stop)}
    return Entry(
        id="+".join(names),
        stems={"vocals": voice.vocals, "accompaniment": music.accompaniment},
        key="",
        split=voice.split,
        licence=" and ".join(dict.fromkeys([voice.licence, music.licence])),
        facts={stem: f"{start} {stop}" for stem, (start, stop) in spans.items()},
    )


def prepare_mix(entry: Entry, *, output_dir: Path, seed: int) -> list[Song]:
    """Cut voice and music to a common length, at places drawn by the seed, and balance them.

    Both are brought to the same level while they sound; then the voice is multiplied by a share
    drawn from SHARE, the music by what is left of 1.

    Args:
        entry: As `draw_pairs` gives it.
        output_dir: Below it go the record and ``audio``.
        seed: Of the places and the share.

    Returns:
        One song with stems.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: A file can not be read, or voice and music hardly ever sound at once.
    """

    def prepare() -> list[Song]:
        rng = np.random.default_rng(_hash(seed, entry.id))
        vocals, music = _draw(entry, rng)
        mean, deviation, least, most = SHARE
        share = float(np.clip(rng.normal(mean, deviation), least, most))
        vocals *= share / _level(vocals)
        music *= (1 - share) / _level(music)
        gain = PEAK / max(np.abs(part).max() for part in (vocals, music, vocals + music))
        folder = _emptied(output_dir / "audio" / "mixes" / entry.id)
        stems = {"vocals": vocals * gain, "accompaniment": music * gain}
        paths = {stem: folder / f"{stem}.flac" for stem in stems}
        for stem, path in paths.items():
            audio.write(path, stems[stem], pcm.SAMPLE_RATE, pcm.SUBTYPE)
        frames = vocals.shape[1]
        heard = pcm.Heard(frames=frames, peak=PEAK, first=0, end=frames)
        return [_song(entry, entry.id, heard, {s: (str(path),) for s, path in paths.items()})]

    return remembered(output_dir, entry, {"seed": seed, **entry.facts}, prepare)


def _draw(entry: Entry, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A stretch of the voice and one of the music, `(channels, time)` each, in which both sound."""
    spans = {stem: tuple(map(int, span.split())) for stem, span in entry.facts.items()}
    length = min(round(MIX * pcm.SAMPLE_RATE), *(stop - start for start, stop in spans.values()))
    for _ in range(_ATTEMPTS):
        vocals, music = (
            audio.read(entry.stems[stem], int(rng.integers(start, stop - length + 1)), length)
            for stem, (start, stop) in spans.items()
        )
        if min(_level(vocals), _level(music)) > 0:
            return vocals, music
    raise ValueError(f"voice or music is all but silent in {_ATTEMPTS} places")


def _level(samples: np.ndarray) -> float:
    """Level (RMS) while it sounds; 0 for what is all but silent."""
    sounding = samples[np.abs(samples) > pcm.SILENCE]
    if sounding.size < _LEAST * samples.size:
        return 0.0
    return float(np.sqrt(np.mean(np.square(sounding))))
