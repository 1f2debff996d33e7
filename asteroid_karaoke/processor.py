"""What this machine's processor can do."""

from pathlib import Path

#: Instructions that multiply bfloat16. Without them it is emulated, and slower than float32.
_BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16"}


def has_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the processor multiplies bfloat16 itself. Elsewhere than on Linux: not known, so no.

    Args:
        cpuinfo: Where Linux lists the processor's flags.
    """
    known = cpuinfo.read_text(encoding="utf-8") if cpuinfo.is_file() else ""
    return not _BFLOAT16_FLAGS.isdisjoint(known.split())
