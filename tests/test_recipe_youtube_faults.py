"""What yt-dlp says of a track that it did not fetch, sorted into kinds with a reason."""

import pytest

from recipes.youtube_faults import classify


@pytest.mark.parametrize(
    ("message", "kind", "reason"),
    [
        (
            "ERROR: [youtube] abcdefghijk: Private video. Sign in if you've been granted access to "
            "this video. Use --cookies-from-browser or --cookies for the authentication.",
            "private",
            "Private video. Sign in if you've been granted access to this video",
        ),
        ("ERROR: [youtube] abcdefghijk: Video unavailable", "removed", "Video unavailable"),
        (
            "ERROR: [youtube] abcdefghijk: Video unavailable. This video is private",
            "private",
            "Video unavailable. This video is private",
        ),
        (
            "ERROR: [youtube] abcdefghijk: This video has been removed by the uploader",
            "removed",
            "This video has been removed by the uploader",
        ),
        (
            "ERROR: [youtube] abcdefghijk: The uploader has not made this video available in your "
            "country\nThis video is available in France.\nYou might want to use a VPN or a proxy "
            "server (with --proxy) to workaround.",
            "region",
            "The uploader has not made this video available in your country This video is "
            "available in France",
        ),
        (
            "ERROR: [youtube] abcdefghijk: Sign in to confirm your age. This video may be "
            "inappropriate for some users. Use --cookies-from-browser or --cookies for the ...",
            "age",
            "Sign in to confirm your age. This video may be inappropriate for some users",
        ),
        (
            "ERROR: [youtube] abcdefghijk: Sign in to confirm you’re not a bot. Use --cookies",
            "bot check",
            "Sign in to confirm you’re not a bot",
        ),
        (
            "ERROR: [youtube] abcdefghijk: Video unavailable. This content isn't available, try "
            "again later. The current session has been rate-limited by YouTube for up to an hour. "
            "It is recommended to use `-t sleep`",
            "rate limit",
            "Video unavailable. This content isn't available, try again later. The current session "
            "has been rate-limited by YouTube for up to an hour",
        ),
        ("ERROR: [youtube] abcdefghijk: HTTP Error 429: Too Many Requests", "rate limit", None),
        ("ERROR: unable to download video data: HTTP Error 403: Forbidden", "refused", None),
        (
            "ERROR: [youtube] abcdefghijk: Requested format is not available. Use --list-formats",
            "refused",
            "Requested format is not available",
        ),
        (
            "ERROR: unable to open for writing: [Errno 28] No space left on device",
            "disk full",
            None,
        ),
        (
            "ERROR: [youtube] abcdefghijk: Join this channel to get access to members-only content",
            "members only",
            None,
        ),
        ("ERROR: [youtube] abcdefghijk: This video is DRM protected", "protected", None),
        ("ERROR: something new\x1b[31m under the sun", "other", "something new[31m under the sun"),
        ("", "other", "yt-dlp left no file and gave no reason"),
    ],
)
def test_messages_are_sorted(message, kind, reason):
    sorted_as = classify(message)
    assert sorted_as.kind.name == kind
    assert reason is None or sorted_as.reason == reason
