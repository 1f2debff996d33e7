"""Songs from addresses: what yt-dlp answers with, as a file."""

import pytest

from asteroid_karaoke.fetching import as_file
from asteroid_karaoke.inputs import Song

pytest.importorskip("yt_dlp")
pytestmark = pytest.mark.usefixtures("no_proxy")


def feed(site, name, *places):
    """A list that yt-dlp takes apart as it does a search: an RSS feed."""
    items = "".join(
        f'<item><title>{place} of {name}</title><enclosure url="{site.address}{place}"/></item>'
        for place in places
    )
    content = f"<rss><channel><title>A list</title>{items}</channel></rss>"
    site.files[f"/page/{name}"] = content.encode()
    return f"{site.address}/page/{name}"


@pytest.mark.parametrize("places", [("/voice.mp3",), ("/voice.mp3", "/music.mp3")])
def test_of_a_list_or_a_search_the_first_song_is_fetched(site, sounds, tmp_path, places):
    site.files |= {f"/{name}": sounds[name] for name in ("voice.mp3", "music.mp3")}
    with as_file(Song(feed(site, "songs", *places)), tmp_path, 60) as fetched:
        assert fetched.path.read_bytes() == sounds["voice.mp3"]
        assert fetched.name == "/voice.mp3 of songs"
    assert not site.served["/music.mp3"]


def test_of_a_list_of_lists_the_first_song_is_fetched(site, sounds, tmp_path):
    """As a channel of YouTube's is."""
    site.files["/voice.mp3"] = sounds["voice.mp3"]
    feed(site, "songs", "/voice.mp3")
    with as_file(Song(feed(site, "lists", "/page/songs")), tmp_path, 60) as fetched:
        assert fetched.path.read_bytes() == sounds["voice.mp3"]


def test_a_list_whose_song_is_gone_says_so(site, tmp_path):
    address = feed(site, "songs", "/none.mp3")
    with (
        pytest.raises(ValueError, match=f"{address} can not be fetched: .*HTTP Error 404"),
        as_file(Song(address), tmp_path, 60),
    ):
        pass
