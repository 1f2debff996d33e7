"""What becomes of files of all kinds, as ticks: each cell is a run of the real thing.

    PYTHONPATH=.:tests python eval/bench/formats.py -o eval/results/formats.md

The files are those of tests/test_corpus.py, which asserts the same. The network is a stand-in that
takes half of each sample for voice: so what is wrong with a result is the way's fault, not the
model's. Files are a quarter of a second of another chord on each channel.
"""

import argparse
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import test_corpus as corpus
import test_tags

from asteroid_karaoke import audio, tags
from asteroid_karaoke.batch import DONE, Outcome
from asteroid_karaoke.parts import write_whole

YES, NO, NONE = "✓", "✗", "–"
RATES = (8000, 11025, 16000, 22050, 32000, 44100, 48000, 88200, 96000, 192_000)
CHANNELS = (1, 2, 3, 6, 8)
#: Formats, and what makes a file of one at a rate with so many channels.
FORMATS: dict[str, Callable[[int, int], Callable[[Path], None]]] = {
    "wav": lambda rate, channels: corpus.by_libsndfile("WAVEX", "PCM_24", rate, channels),
    "flac": lambda rate, channels: corpus.by_libsndfile("FLAC", "PCM_24", rate, channels),
    "ogg": lambda rate, channels: corpus.by_libsndfile("OGG", "VORBIS", rate, channels),
    "opus": lambda rate, channels: corpus.by_libsndfile("OGG", "OPUS", rate, channels),
    "mp3": lambda rate, channels: corpus.by_libsndfile("MP3", "MPEG_LAYER_III", rate, channels),
    "m4a": lambda rate, channels: corpus.by_ffmpeg("ipod", "aac", rate, channels),
}
TEXT = """# What is kept of a file

Made by eval/bench/formats.py from real runs. {yes} kept; {no} not kept; {none} there is no such
file, or the script can put nothing in it.

## Formats

`separate FILE` with all else left as it is. *Coding* is the codec and its bits; *sum* says that
vocals and karaoke add up to the song, to the last bit or as exactly as the codec is. A WMA ends up
to 0.2 s later; an ADTS stream (`a.aac`) and AC-3 come out as m4a.

{kept}

## Rates and channels

Rate, channels and length of the results are the song's; {none} where the format has no such files.

{fits}

## Faults

Refused in one line, and nothing is written, not even a folder's worth of half a song; the other
songs of a run go on.

{faults}
"""


def main() -> None:
    """Run everything and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("-o", "--output", type=Path, default=Path("eval/results/formats.md"))
    output = parser.parse_args().output
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        parts = {"kept": kept(folder), "fits": fits(folder), "faults": faults(folder)}
    text = TEXT.format(yes=YES, no=NO, none=NONE, **parts)
    write_whole(output, text.encode())
    print(f"{output}: {text.count(YES)} {YES}, {text.count(NO) - 1} {NO}")


def table(titles: list[str], rows: list[list[str]]) -> str:
    """Markdown."""
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def tick(passed: bool) -> str:
    """A cell."""
    return YES if passed else NO


def kept(folder: Path) -> str:
    """What is kept of each file of the corpus."""
    rows = []
    for name, make, suffix, coding in corpus.RIGHT:
        path = fresh(folder) / name
        make(path)
        has_tags = add_tags(path)
        song, facts = audio.read(path), audio.info(path)
        outcome = corpus.separated(path, facts.sample_rate)
        if outcome.status != DONE:
            rows.append([name, outcome.reason, *[NO] * 7])
            continue
        found = [audio.info(result) for result in outcome.paths.values()]
        late = 0.2 * facts.sample_rate if suffix == ".wma" else 0
        checks = [
            all(info.sample_rate == facts.sample_rate for info in found),
            all(info.channels == facts.channels for info in found),
            all(info.subtype == coding for info in found),
            all(0 <= info.frames - facts.frames <= late for info in found),
            adds_up(outcome, song, coding),
        ]
        endings = {result.suffix[1:] for result in outcome.paths.values()}
        rows.append(
            [
                f"`{name}`",
                f"{'/'.join(sorted(endings))}, {coding}",
                *map(tick, checks),
                *carried(outcome, has_tags),
            ]
        )
    titles = ["file", "result", "rate", "channels", "coding", "length", "sum", "tags", "cover"]
    return table(titles, rows)


def fresh(folder: Path) -> Path:
    """An empty folder, for one file and its results."""
    place = folder / "one"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    return place


def add_tags(path: Path) -> bool:
    """Put tags and a cover into a file, if that can be done; whether its tags can be read."""
    if path.suffix in (".mkv", ".mka", ".webm"):
        _remux(path)
    else:
        kind = {".mp4": ".m4a", ".mov": ".m4a"}.get(path.suffix, path.suffix)
        source = tags.Tags(test_tags.TEXTS, (("image/png", test_tags.COVER),))
        tags.write(path, kind, source, "karaoke", path.stem)
    return bool(tags.read(path).fields)


def _remux(path: Path) -> None:
    """Copy a Matroska file with a title and an artist."""
    other = path.with_name(f"other{path.suffix}")
    with av.open(str(path)) as given, av.open(str(other), "w") as made:
        made.metadata.update(title=test_tags.TEXTS["title"], artist=test_tags.TEXTS["artist"])
        streams = {s.index: made.add_stream_from_template(s) for s in given.streams}
        for packet in given.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                made.mux(packet)
    other.replace(path)


def carried(outcome: Outcome, has_tags: bool) -> list[str]:
    """Cells of the tags and the cover."""
    if not has_tags:
        return [NONE, NONE]
    results = list(outcome.paths.values())
    given = tags.read(Path(outcome.song.source))
    found = [tags.read(result) for result in results]
    texts = all(
        result.fields.get(name) == text or (name == "title" and text in result.fields["title"])
        for result in found
        for name, text in given.fields.items()
    )
    covers = all(result.pictures == given.pictures for result in found)
    return [tick(texts), tick(covers) if given.pictures else NONE]


def adds_up(outcome: Outcome, song: np.ndarray, coding: str) -> bool:
    """Whether the stems are halves of the song, and add up to it."""
    stems = [audio.read(result)[:, : song.shape[1]] for result in outcome.paths.values()]
    try:
        for stem in stems:
            corpus.check(stem, song / 2, coding)
        corpus.check(stems[0] + stems[1], song, coding)
    except AssertionError:
        return False
    return True


def fits(folder: Path) -> str:
    """Which rates and numbers of channels stay as they are."""
    rows = [
        [
            name,
            str(channels),
            *(cell(fresh(folder) / f"a.{name}", make, r, channels) for r in RATES),
        ]
        for name, make in FORMATS.items()
        for channels in CHANNELS
    ]
    return table(["format", "channels", *(f"{rate / 1000:g} kHz" for rate in RATES)], rows)


def cell(
    path: Path, make: Callable[[int, int], Callable[[Path], None]], rate: int, channels: int
) -> str:
    """Whether the results of such a file have its rate, channels and length."""
    try:
        make(rate, channels)(path)
    except (ValueError, OSError, av.FFmpegError):
        return NONE
    facts = audio.info(path)
    if (facts.sample_rate, facts.channels) != (rate, channels):
        return NONE
    outcome = corpus.separated(path, rate)
    found = [audio.info(result) for result in outcome.paths.values()]
    same = [(i.sample_rate, i.channels, i.frames) == (rate, channels, facts.frames) for i in found]
    return tick(outcome.status == DONE and all(same))


def faults(folder: Path) -> str:
    """What is said of each file that can not be separated."""
    rows = []
    for name, make, message in corpus.FAULTS:
        path = fresh(folder) / name
        make(path)
        outcome = corpus.separated(path)
        out = path.parent / "out"
        clean = not out.exists() or not list(out.iterdir())
        reason = outcome.reason.replace(str(path), name)
        good = outcome.status != DONE and message in outcome.reason and "\n" not in outcome.reason
        rows.append([f"`{name}`", tick(good and clean), reason.replace("|", "\\|")])
    return table(["file", "refused", "what is said"], rows)


if __name__ == "__main__":
    main()
