"""Blind listening: a page that compares two folders of estimates, and what its answers say."""

from .answers import Verdict, unblind
from .comparison import make_page

__all__ = ["Verdict", "make_page", "unblind"]
