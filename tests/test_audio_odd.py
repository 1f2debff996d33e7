"""Sound files that are as good as others, though their headers do not say so."""

import numpy as np
import pytest
import soundfile
from sound_files import RATE, noise

from asteroid_karaoke import audio

# Files whose header does not tell their length: written to a pipe, or by a simple program.


def test_a_wav_whose_length_was_left_open_is_read_to_its_end(tmp_path):
    audio.write(tmp_path / "a.wav", noise(), RATE)
    data = bytearray((tmp_path / "a.wav").read_bytes())
    place = data.index(b"data") + 4
    data[4:8] = data[place : place + 4] = b"\xff\xff\xff\xff"
    (tmp_path / "a.wav").write_bytes(data)
    assert audio.info(tmp_path / "a.wav").frames == audio.read(tmp_path / "a.wav").shape[1] == RATE


def test_a_flac_whose_length_was_left_open_is_read_to_its_end(tmp_path):
    audio.write(tmp_path / "a.flac", noise(), RATE)
    data = bytearray((tmp_path / "a.flac").read_bytes())
    # STREAMINFO, from byte 8 on, has the number of samples in 36 bits from byte 13 on (RFC 9639).
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    (tmp_path / "a.flac").write_bytes(data)
    assert audio.info(tmp_path / "a.flac").frames == RATE
    np.testing.assert_allclose(audio.read(tmp_path / "a.flac"), noise(), atol=2**-15)


def test_an_mp3_without_a_length_is_counted(tmp_path):
    """A bit rate that changes lets libsndfile guess four times too long, or too short."""
    samples = noise(frames=4 * RATE)
    samples[:, RATE:] = 0
    audio.write(tmp_path / "a.mp3", samples, RATE)
    data = (tmp_path / "a.mp3").read_bytes()
    second = data.index(b"\xff\xfb", data.index(b"Xing"))
    # An ID3 tag with a picture pushes the frames out of the first bytes.
    tag = b"ID3\x04\x00\x00" + bytes((0, 1, 0, 0)) + bytes(1 << 14)
    (tmp_path / "tagged.mp3").write_bytes(tag + data)
    (tmp_path / "bare.mp3").write_bytes(data[second:])
    assert audio.info(tmp_path / "tagged.mp3").frames == 4 * RATE
    frames = audio.info(tmp_path / "bare.mp3").frames
    assert frames == audio.read(tmp_path / "bare.mp3").shape[1]
    assert frames == pytest.approx(4 * RATE, abs=3000)


# Ogg files that libsndfile does not take for what they are.


def pages(data):
    """The pages of an Ogg file (RFC 3533, section 6)."""
    while data:
        size = 27 + data[26] + sum(data[27 : 27 + data[26]])
        yield bytearray(data[:size])
        data = data[size:]


def with_position(page, position):
    """An Ogg page at another place of time, with its checksum."""
    page[6:14], page[22:26] = position.to_bytes(8, "little"), bytes(4)
    rest = 0
    for byte in page:
        rest ^= byte << 24
        for _ in range(8):
            rest = (rest << 1 ^ (0x04C11DB7 if rest >> 31 else 0)) & 0xFFFFFFFF
    page[22:26] = rest.to_bytes(4, "little")
    return page


@pytest.mark.parametrize("number", (2, 4))
def test_an_opus_file_that_libsndfile_calls_malformed_is_read(tmp_path, number):
    """Its time stamps jump, at the start or in the midst; FFmpeg and all players play it."""
    path, samples = tmp_path / "a.opus", noise(frames=6 * 48000) / 4
    soundfile.write(path, samples.T, 48000, format="OGG", subtype="OPUS")
    whole, found = audio.read(path), list(pages(path.read_bytes()))
    found[number] = with_position(found[number], 100)
    path.write_bytes(b"".join(found))
    with pytest.raises(soundfile.LibsndfileError, match="malformed"):
        soundfile.read(path)
    again = audio.read(path)
    assert again.shape == whole.shape
    np.testing.assert_allclose(again[:, 48000:], whole[:, 48000:], atol=0.05)


@pytest.mark.parametrize("second", ("b.ogg", "a.ogg"))
def test_chained_songs_are_read_to_the_end(tmp_path, second):
    """Each should have a number of its own, which a song that is joined to itself has not."""
    for name in ("a.ogg", "b.ogg"):
        audio.write(tmp_path / name, noise(frames=RATE), RATE)
    both = (tmp_path / "a.ogg").read_bytes() + (tmp_path / second).read_bytes()
    (tmp_path / "c.ogg").write_bytes(both)
    assert audio.info(tmp_path / "c.ogg").frames == pytest.approx(2 * RATE, abs=2000)
