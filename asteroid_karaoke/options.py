"""What is written of a song, and how: all that a user may choose, in one place."""

import math
from dataclasses import dataclass, field

from . import names
from .clipping import MODES
from .formats import FORMATS, WITH_BIT_RATE
from .knobs import Knobs

STEMS = ("vocals", "karaoke")
#: The longest song that is taken, in s: what unpacks to days is a mistake, or meant ill.
LONGEST_SECONDS = 12 * 3600.0


@dataclass(frozen=True)
class OutputOptions:
    """What is written of a song, and how.

    Args:
        format: One of :data:`asteroid_karaoke.formats.FORMATS`.
        bit_rate: Of lossy formats, in bit/s. None: as the input, or a good one.
        stems: What is written, of ``vocals`` and ``karaoke``.
        name: Template of the files' names, see :mod:`asteroid_karaoke.names`.
        overwrite: Whether files that are there may be replaced.
        max_seconds: The longest song that is taken, in s.
        knobs: What is done to the karaoke file.
        clip: What is done beyond full scale, one of :data:`asteroid_karaoke.clipping.MODES`.
        start: Where to begin in the song, in s. None: at its beginning.
        end: Where to end, in s. None: at its end.
        preview: Only so many seconds, those with the most singing. None: all of it.

    Raises:
        ValueError: A value makes no sense.
    """

    format: str = "same"
    bit_rate: int | None = None
    stems: tuple[str, ...] = STEMS
    name: str = names.DEFAULT
    overwrite: bool = False
    max_seconds: float = LONGEST_SECONDS
    knobs: Knobs = field(default_factory=Knobs)
    clip: str = "none"
    start: float | None = None
    end: float | None = None
    preview: float | None = None

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise ValueError(f"got format {self.format!r}, expected one of {', '.join(FORMATS)}")
        if not self.stems or len({*self.stems} & {*STEMS}) != len(self.stems):
            raise ValueError(f"got stems {self.stems}, expected some of {', '.join(STEMS)}")
        if self.bit_rate is not None and not 6000 <= self.bit_rate <= 3_000_000:
            raise ValueError(f"got {self.bit_rate} bit/s, expected 6000 to 3000000")
        if self.bit_rate is not None and self.format not in WITH_BIT_RATE:
            raise ValueError(f"got a bit rate for {self.format}, which has none: leave it out")
        if self.clip not in MODES:
            raise ValueError(f"got clip {self.clip!r}, expected one of {', '.join(MODES)}")
        self._check_times()
        names.check(self.name, len(self.stems))

    def _check_times(self) -> None:
        for name in ("start", "end", "preview", "max_seconds"):
            seconds = getattr(self, name)
            # Written so that NaN fails too.
            if seconds is not None and not 0 <= seconds < math.inf:
                raise ValueError(f"got {name} {seconds:g} s, expected 0 or more")
        if self.preview is not None and (self.start, self.end) != (None, None):
            raise ValueError("got a preview and a start or an end: a preview finds its own")
        if self.preview == 0:
            raise ValueError("got a preview of 0 s, expected more")
        if self.end is not None and self.end <= (self.start or 0):
            raise ValueError(
                f"got the end {self.end:g} s, which is not behind the start {self.start or 0:g} s: "
                "name a later one"
            )
