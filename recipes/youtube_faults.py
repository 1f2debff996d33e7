"""Why a track can not be fetched: yt-dlp's messages, sorted by what the user can do about it.

The wording is that of yt-dlp 2026.10 and of YouTube behind it (yt_dlp/extractor/youtube/_video.py,
yt_dlp/downloader/http.py, yt_dlp/networking/exceptions.py).
"""

import re
from typing import NamedTuple


class Kind(NamedTuple):
    """A kind of failure.

    Args:
        name: In a word or two.
        signs: Pattern that the messages of this kind hold.
        advice: What to do about it.
        patience: After so many in a row at one host, the next one would fail as well; 0: never.
    """

    name: str
    signs: str
    advice: str
    patience: int = 0


_AGAIN = "run it again: what is there is not fetched twice, and a broken transfer goes on"
#: The first whose pattern is found counts.
KINDS = (
    Kind(
        "bot check",
        r"not a bot|captcha",
        "YouTube takes this machine for a robot: wait some hours, use another network, or give "
        "--cookies FILE",
        patience=3,
    ),
    Kind(
        "rate limit",
        r"rate.?limited|HTTP Error 429|Too Many Requests",
        "wait an hour, then run it again, with a longer --pause",
        patience=3,
    ),
    Kind("disk full", r"No space left|Disk quota|Errno 28\b", "make room", patience=1),
    Kind(
        "cut off",
        r"bytes read|more expected|cut off|too short|Did not get any data|IncompleteRead",
        _AGAIN,
    ),
    Kind(
        "network",
        r"TransportError|ProxyError|SSLError|Failed to (?:resolve|establish)|timed out|unreachable"
        r"|Connection (?:aborted|reset|refused)|HTTP Error 5\d\d",
        f"see that the network and the host can be reached, then {_AGAIN}",
        patience=3,
    ),
    Kind(
        "age",
        r"confirm your age|age.restricted|inappropriate for some users",
        "asks for an account: give --cookies FILE, or drop the line",
    ),
    Kind("private", r"\bprivate\b", "drop the line"),
    Kind("members only", r"members.only|join this channel", "drop the line"),
    Kind(
        "region",
        r"in your country|your location|geo.?restrict|in your region",
        "fetch it from another country, or drop the line",
    ),
    Kind("protected", r"\bDRM\b", "drop the line"),
    Kind(
        "refused",
        r"HTTP Error 40[13]|Requested format is not available",
        "yt-dlp may be too old for today's YouTube: pip install -U 'yt-dlp[default,deno]'",
        patience=3,
    ),
    Kind(
        "removed",
        r"removed|unavailable|not available|no longer|terminated|deleted|does not exist"
        r"|HTTP Error 4(?:04|10)",
        "drop the line",
    ),
    Kind(
        "not a track",
        r"Unsupported URL|No video formats|a list of videos|live broadcast|live event|Premiere"
        r"|larger than max-filesize|recorded in the archive|unusual and will be skipped",
        "name one track that is sound or video, once, or drop the line",
    ),
    Kind("other", "", "see what yt-dlp says of it; a newer one may help: pip install -U yt-dlp"),
)
#: What stands around the message: where it came from, what caused it, yt-dlp's own advice.
_AROUND = re.compile(
    r"^(?:ERROR:\s+)?(?:\[[^\]]*\] (?:Got error: |\S+: )?)?"
    r"|\s*\(caused by .*"
    r"|[.;]?\s(?:please report this|Use --cookies|It is recommended|You might want|If you believe"
    r"|Use --list-formats|Confirm you are on).*",
    re.DOTALL,
)
_LONGEST = 200


class NotFetched(Exception):
    """A track can not be had.

    Args:
        kind: What kind of failure it is.
        reason: What was said, in one line.
    """

    def __init__(self, kind: Kind, reason: str) -> None:
        super().__init__(reason)
        self.kind, self.reason = kind, reason


def kind(name: str) -> Kind:
    """The kind of a name."""
    return next(one for one in KINDS if one.name == name)


def classify(message: str) -> NotFetched:
    """Sort a message of yt-dlp's.

    >>> classify("ERROR: [youtube] abcdefghijk: Private video. Sign in if you may").kind.name
    'private'
    """
    found = next(one for one in KINDS if re.search(one.signs, message, re.IGNORECASE))
    plain = " ".join(_AROUND.sub("", message).split())
    plain = "".join(letter for letter in plain if letter.isprintable())
    return NotFetched(found, plain[:_LONGEST] or "yt-dlp left no file and gave no reason")
