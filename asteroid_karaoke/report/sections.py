"""What a page shows of the songs of one corpus: tables, charts, and three songs to see and hear."""

import re
from collections.abc import Mapping
from typing import Any

from ..results import STEMS, aggregate_rows, table
from . import charts
from .collect import CEILING, FLOOR, Score, label
from .sound import Sound, hear

#: Sizes of charts, in px.
WIDE, NARROW = (900, 300), (440, 300)
UNIT = "SDR (dB)"

#: Charts and their sizes, by the names of PNG files.
Pictures = dict[str, tuple[charts.Chart, tuple[int, int]]]


def section(
    corpus: str,
    systems: Mapping[str, Mapping[str, Score]],
    colours: Mapping[str, str],
    chosen: str,
    pictures: Pictures,
) -> dict[str, Any]:
    """Plain values for the page's template.

    Args:
        corpus: Its name.
        systems: Each system's scores by song.
        colours: Of the systems under test, see `charts.SERIES`.
        chosen: The system whose songs are shown.
        pictures: Takes the charts that could be PNG files.
    """
    finals = {
        name: aggregate_rows([score.row for score in songs.values()])
        for name, songs in systems.items()
    }
    here = [name for name in colours if name in systems]
    by_stem = {
        stem: {
            name: {song: score.row[f"{stem}_SDR"] for song, score in songs.items()}
            for name, songs in systems.items()
        }
        for stem in STEMS
    }
    names = sorted({song for songs in systems.values() for song in songs})
    longest = max(finals.values(), key=lambda final: final["frames"])
    return {
        "name": corpus,
        "songs": len(names),
        "names": names,
        "frames": longest["frames"],
        "silent": longest["silent_reference_frames"],
        # museval leaves these out as well, so that such a system is scored on fewer seconds.
        "fewer": [
            (label(name), final["silent_estimate_frames"])
            for name, final in finals.items()
            if final["silent_estimate_frames"]
        ],
        "systems": [
            {"label": label(name), "role": _role(name), "final": final}
            for name, final in finals.items()
        ],
        "spans": [{"colour": colours[name], **_span(name, finals)} for name in here],
        # One song is a dot, which the table says better.
        "charts": _charts(corpus, by_stem, colours, pictures) if len(names) > 1 else [],
        "examples": _examples(systems.get(chosen, {}), corpus, pictures),
        "scores": by_stem,
        "labels": {name: label(name) for name in systems},
        "remarks": [
            (label(name), song, remark)
            for name, songs in systems.items()
            for song, score in songs.items()
            for remark in score.remarks
        ],
        "markdown": table({label(name): final for name, final in finals.items()}, True),
    }


def _charts(
    corpus: str,
    by_stem: Mapping[str, Mapping[str, Mapping[str, float | None]]],
    colours: Mapping[str, str],
    pictures: Pictures,
) -> list[dict[str, Any]]:
    """Boxes over songs, and each song over its mixture, of both stems."""
    shown = []
    hues = {label(name): colour for name, colour in colours.items()}
    for stem, systems in by_stem.items():
        known = {
            label(name): [score for score in songs.values() if score is not None]
            for name, songs in systems.items()
        }
        size = (NARROW[0], 64 + 46 * len(known))
        title = f"SDR of the {stem}: a box and a dot a song for each system"
        chart = charts.boxes(known, hues, UNIT)
        shown.append(_chart(chart, size, title, f"Over songs: {stem}", pictures, corpus))
    for stem, systems in by_stem.items() if FLOOR in by_stem[STEMS[0]] else ():
        reached = {label(name): systems[name] for name in colours if name in systems}
        title = f"SDR of the {stem} of each song over the SDR of its mixture"
        chart = charts.scatter(systems[FLOOR], reached, hues, UNIT)
        shown.append(_chart(chart, NARROW, title, f"Song by song: {stem}", pictures, corpus))
    return shown


def _role(system: str) -> str:
    return {FLOOR: "floor", CEILING: "ceiling"}.get(system, "")


def _span(system: str, finals: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Where a system stands between floor and ceiling, for each stem."""
    stems = {}
    for stem in STEMS:
        value = finals[system][f"{stem}_SDR"]
        low, high = (finals.get(end, {}).get(f"{stem}_SDR") for end in (FLOOR, CEILING))
        share = None
        if value is not None and low is not None and high is not None and high > low:
            share = round(100 * min(max((value - low) / (high - low), 0), 1), 1)
        stems[stem] = {"value": value, "low": low, "high": high, "share": share}
    return {"label": label(system), "stems": stems}


def _examples(songs: Mapping[str, Score], corpus: str, pictures: Pictures) -> list[dict[str, Any]]:
    """The worst, the median and the best song by the SDR of its vocals, as far as they differ."""
    scored = [score for score in songs.values() if score.row["vocals_SDR"] is not None]
    order = sorted(scored, key=lambda score: score.row["vocals_SDR"])
    kinds = {1: ("The song",), 2: ("Worst song", "Best song")}
    places = {1: (0,), 2: (0, 1)}.get(len(order), (0, (len(order) - 1) // 2, len(order) - 1))
    names = kinds.get(len(order), ("Worst song", "Median song", "Best song"))
    return [
        _example(kind, order[place], corpus, pictures)
        for kind, place in zip(names, places, strict=True)
        if order
    ]


def _example(kind: str, score: Score, corpus: str, pictures: Pictures) -> dict[str, Any]:
    sound = hear(score)
    name, seconds = score.row["song"], score.row["seconds"]
    drawn = None
    if score.frames is not None:
        place = (sound.start, sound.seconds)
        chart = charts.timeline(sound.envelope, score.frames, seconds, place)
        caption, size = "SDR over time", (WIDE[0], 220)
        if sound.envelope is not None:
            caption, size = f"{caption}, and the waveform", WIDE
        title = f"SDR of each second of {name}, vocals and accompaniment"
        drawn = _chart(chart, size, title, caption, pictures, f"{corpus} {kind}")
    return {
        "kind": kind,
        "name": name,
        "row": score.row,
        "seconds": clock(seconds),
        "chart": drawn,
        "sound": sound,
        "heard": _heard(sound),
    }


def _heard(sound: Sound) -> str:
    return f"{clock(sound.start)} to {clock(sound.start + sound.seconds)}" if sound.players else ""


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _chart(
    chart: charts.Chart,
    size: tuple[int, int],
    title: str,
    caption: str,
    pictures: Pictures,
    group: str,
) -> dict[str, Any]:
    name = re.sub(r"[^a-z0-9]+", "-", f"{group} {caption}".lower()).strip("-")
    pictures[f"{name}.png"] = (chart, size)
    return {"svg": charts.svg(chart, size, title), "caption": caption, "width": size[0]}
