"""Asteroid's own command ``asteroid-infer``, made to work with a stereo model.

Importing this package registers its models, which is all that Asteroid's command lacks to load
them. What Asteroid 0.7 gets wrong on the way is put right here, each for as long as the command
runs:

- It says of a stereo file that it takes the first channel only, takes both, and can not write what
  comes out.
- It does not make the output folder, and reports a "System error".
- Its default window for overlap-add, "hanning", is gone from SciPy (asteroid-team/asteroid#678).

Songs are better separated by ``asteroid-karaoke separate``: both channels, at their own level.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from asteroid.scripts import asteroid_cli
from asteroid.separate import separate

from .audio import info
from .model import shipped
from .terminal import PROGRAM


def _separate(model: Any, filename: str, resample: bool = False, **options: Any) -> None:
    # Asteroid keeps to the first channel where it resamples, even to the rate that the file has.
    resample = resample or info(filename).sample_rate == model.sample_rate
    separate(model, filename, resample=resample, **options)


def infer(arguments: Sequence[str]) -> None:
    """Run ``asteroid-infer``.

    Args:
        arguments: All of its options. The model may be a name of weights that ship with the
            package.

    Raises:
        OSError, ValueError, RuntimeError: What Asteroid raises for a file that it can not separate.
        SystemExit: After ``--help``, or on wrong usage.
    """
    reader = argparse.ArgumentParser(add_help=False)
    reader.add_argument("-o", "--output-dir", type=Path)
    folder = reader.parse_known_args(arguments)[0].output_dir
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    named = [os.fspath(shipped().get(argument, argument)) for argument in arguments]
    before = asteroid_cli.separate, sys.argv
    asteroid_cli.separate, sys.argv = _separate, [f"{PROGRAM} infer"]
    try:
        # What the user says about the window comes later on the line, so it wins.
        asteroid_cli.infer(["--ola-window-type", "hann", *named])
    finally:
        asteroid_cli.separate, sys.argv = before
