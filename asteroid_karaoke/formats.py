"""What a result is written as: the format that was asked for, or the song's own.

``same`` keeps container, codec, rate and bits wherever this machine's encoders can:

- libsndfile's files (wav, RF64, W64, aiff, au, caf, flac, mp3, ogg, opus) stay what they are; its
  rare ones (voc, nist, ircam ...) become wav. Rare codings (µ-law, ADPCM ...) become 16 bits.
- A video or another container becomes a sound file of its codec: AAC and ALAC an m4a, Opus a webm
  or an opus file, Vorbis an ogg, FLAC a flac, PCM a wav, WMA a wma. Other lossless codecs become
  flac, other lossy ones AAC. Whole numbers of 64 bits become 32.
- Lossy codecs get about the input's bit rate.
"""

from dataclasses import dataclass, replace

import soundfile

from .audio import AudioReader
from .writer import MP3_RATES, OPUS_RATES

#: Words for what can be written; ``same`` is the song's own format.
FORMATS = ("same", "wav", "wav16", "wav24", "wav32f", "flac", "mp3", "ogg", "opus", "m4a")
#: Those that have a bit rate to choose; ``same`` has one where the song's own format has.
WITH_BIT_RATE = ("same", "mp3", "ogg", "opus", "m4a")
#: The bits that a wav or a flac keeps; all else: 16.
_KEPT = {
    "wav": {"PCM_24": "PCM_24", "PCM_32": "PCM_32", "FLOAT": "FLOAT", "DOUBLE": "FLOAT"},
    "flac": {"PCM_24": "PCM_24", "PCM_32": "PCM_24", "FLOAT": "PCM_24", "DOUBLE": "PCM_24"},
}
_SUFFIXES = {
    "WAVEX": ".wav",
    "RF64": ".wav",
    **{name: f".{name.lower()}" for name in ("WAV", "W64", "AIFF", "AU", "CAF", "FLAC", "MP3")},
}
_PLAIN = ("PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")
#: FFmpeg's names of PCM in a container, by their beginnings.
_PCM = {
    "pcm_u8": "PCM_U8",
    "pcm_s24": "PCM_24",
    "pcm_s32": "PCM_32",
    "pcm_s64": "PCM_32",
    "pcm_f32": "FLOAT",
    "pcm_f64": "DOUBLE",
}
_LOSSLESS = ("flac", "ape", "tta", "wavpack", "tak", "shorten", "truehd", "mlp", "wmalossless")
_AAC_RATES = (
    *(7350, 8000, 11025, 12000, 16000, 22050, 24000, 32000),
    *(44100, 48000, 64000, 88200, 96000),
)
_RATES = {
    "MPEG_LAYER_III": MP3_RATES,
    "OPUS": OPUS_RATES,
    "libopus": OPUS_RATES,
    "aac": _AAC_RATES,
}
#: FFmpeg's AAC sounds well from here on, in bit/s for each channel.
_AAC_BIT_RATE = 96_000


@dataclass(frozen=True)
class Target:
    """How a result is written.

    Args:
        suffix: The ending, with its dot.
        container: libsndfile's word for the format, or FFmpeg's muxer.
        codec: libsndfile's subtype, or FFmpeg's encoder.
        sample_rate: In Hz.
        bit_rate: In bit/s. None: the codec's own.
        by_ffmpeg: Whose words the names are.
        notes: What will not be as in the input, for people to read.
    """

    suffix: str
    container: str
    codec: str
    sample_rate: int
    bit_rate: int | None = None
    by_ffmpeg: bool = False
    notes: tuple[str, ...] = ()

    @property
    def floats(self) -> bool:
        """Whether it holds what is over full scale."""
        return self.codec in ("FLOAT", "DOUBLE")


def choose(reader: AudioReader, format: str, bit_rate: int | None, measure: bool = True) -> Target:
    """How the results of an open source are written.

    Args:
        reader: The source.
        format: One of :data:`FORMATS`.
        bit_rate: In bit/s, for lossy codecs. None: as the input, or a good one.
        measure: Whether to find the input's bit rate, which reads some of the file.

    Raises:
        ValueError: There is no such format.
    """
    if format not in FORMATS:
        raise ValueError(f"got format {format!r}, expected one of {', '.join(FORMATS)}")
    rate = reader.sample_rate
    if format == "same":
        target = _same(reader)
        lossy = target.codec in (*_RATES, "VORBIS", "wmav2")
        if lossy and measure and bit_rate is None:
            bit_rate = reader.bit_rate() or None
        target = replace(target, bit_rate=bit_rate)
    elif format == "m4a":
        target = Target(".m4a", "ipod", "aac", rate, bit_rate, by_ffmpeg=True)
    elif format in ("mp3", "ogg", "opus"):
        codec = {"mp3": "MPEG_LAYER_III", "ogg": "VORBIS", "opus": "OPUS"}[format]
        container = "MP3" if format == "mp3" else "OGG"
        target = Target(f".{format}", container, codec, rate, bit_rate)
    else:
        bits = {"wav16": "PCM_16", "wav24": "PCM_24", "wav32f": "FLOAT"}.get(format)
        kept = _KEPT.get(format, {}).get(_subtype(reader), "PCM_16")
        name = "flac" if format == "flac" else "wav"
        target = Target(f".{name}", name.upper(), bits or kept, rate)
    if target.codec == "aac" and not target.bit_rate:
        target = replace(target, bit_rate=_AAC_BIT_RATE * reader.channels)
    return _at_a_rate_it_knows(target)


def _same(reader: AudioReader) -> Target:
    container, subtype, rate = reader.container, reader.subtype, reader.sample_rate
    if container == "OGG":
        return _ogg(subtype, rate)
    if container not in soundfile.available_formats():
        return _same_codec(reader)
    if container not in _SUFFIXES:
        container = "WAV"
    kept = subtype in _PLAIN or container == "MP3"
    codec = subtype if kept and soundfile.check_format(container, subtype) else "PCM_16"
    return Target(_SUFFIXES[container], container, codec, rate)


def _same_codec(reader: AudioReader) -> Target:
    """For what FFmpeg has read."""
    codec, rate, channels = reader.subtype, reader.sample_rate, reader.channels
    if codec == "opus" and "matroska" in reader.container and channels not in (5, 7):
        # FFmpeg mixes the loudspeakers of five and seven channels up.
        suffix = ".webm" if reader.name.lower().endswith(".webm") else ".opus"
        if suffix == ".webm":
            return Target(suffix, "webm", "libopus", rate, by_ffmpeg=True)
    if codec in ("opus", "vorbis"):
        return _ogg(codec.upper(), rate)
    if codec.startswith("mp3"):
        return Target(".mp3", "MP3", "MPEG_LAYER_III", rate)
    if codec == "alac" and channels in (1, 2, 3, 5, 6):
        return Target(".m4a", "ipod", "alac", rate, by_ffmpeg=True)
    if codec in ("wmav1", "wmav2") and channels <= 2 and rate <= 48000:
        note = "a wma ends with up to 0.2 s of silence more than the song"
        return Target(".wma", "asf", "wmav2", rate, by_ffmpeg=True, notes=(note,))
    if codec.startswith("pcm_"):
        return Target(".wav", "WAV", _subtype(reader), rate)
    if codec in (*_LOSSLESS, "alac") and channels <= 8:
        return Target(".flac", "FLAC", _KEPT["flac"].get(_subtype(reader), "PCM_16"), rate)
    notes = () if codec == "aac" else (f"{codec} is not written here, AAC takes its place",)
    return Target(".m4a", "ipod", "aac", rate, by_ffmpeg=True, notes=notes)


def _ogg(subtype: str, rate: int) -> Target:
    if subtype == "OPUS":
        return Target(".opus", "OGG", "OPUS", rate)
    return Target(".ogg", "OGG", "VORBIS", rate)


def _subtype(reader: AudioReader) -> str:
    """The word of libsndfile for how the samples are stored, also where FFmpeg read them."""
    name = reader.subtype
    if name.startswith("pcm_") or name in (*_LOSSLESS, "alac"):
        other = "PCM_24" if reader.bits > 16 else "PCM_16"
        return next((bits for start, bits in _PCM.items() if name.startswith(start)), other)
    return name


def _at_a_rate_it_knows(target: Target) -> Target:
    rates = _RATES.get(target.codec, (target.sample_rate,))
    if target.sample_rate in rates:
        return target
    new = next((rate for rate in rates if rate >= target.sample_rate), rates[-1])
    name = target.suffix[1:]
    note = f"{name} has no {target.sample_rate} Hz, so the results have {new} Hz"
    return replace(target, sample_rate=new, notes=(*target.notes, note))
