"""Types of options for argparse, which complain in words of their own."""

import argparse
from collections.abc import Callable


def positive(text: str) -> int:
    """A whole number from 1 on."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"got {number}, expected 1 or more")
    return number


def shown(parse: Callable[[str], float]) -> Callable[[str], float]:
    """Let argparse show the function's own message."""

    def parsed(text: str) -> float:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return parsed
