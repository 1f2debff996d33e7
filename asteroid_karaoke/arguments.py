"""Types of options for argparse, which complain in words of their own."""

import argparse
import re
from collections.abc import Callable
from typing import TypeVar

Number = TypeVar("Number", int, float)


def positive(text: str) -> int:
    """A whole number from 1 on."""
    if not re.fullmatch("[0-9]{1,9}", text) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a whole number from 1 on")
    return int(text)


def shown(parse: Callable[[str], Number]) -> Callable[[str], Number]:
    """Let argparse show the function's own message."""

    def parsed(text: str) -> Number:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return parsed
