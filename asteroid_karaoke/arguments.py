"""Types of options for argparse, which complain in words of their own."""

import argparse
import re
from collections.abc import Callable
from typing import TypeVar

Number = TypeVar("Number", int, float)


def positive(text: str) -> int:
    """A whole number from 1 on."""
    return up_to(10**9 - 1)(text)


def up_to(most: int, least: int = 1) -> Callable[[str], int]:
    """A whole number from `least` to `most`."""

    def parsed(text: str) -> int:
        if not re.fullmatch("[0-9]{1,9}", text) or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(
                f"got {text!r}, expected a whole number, {least} to {most}"
            )
        return int(text)

    return parsed


def shown(parse: Callable[[str], Number]) -> Callable[[str], Number]:
    """Let argparse show the function's own message."""

    def parsed(text: str) -> Number:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return parsed
