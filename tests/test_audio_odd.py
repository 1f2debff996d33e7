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


def mp3s(folder, *seconds):
    """Songs of such lengths, their bytes without tags, and where their second frames begin."""
    for number, length in enumerate(seconds):
        path = folder / f"{number}.mp3"
        audio.write(path, noise(frames=round(length * RATE), seed=number), RATE)
        data = path.read_bytes()
        yield data, data.index(b"\xff\xfb", data.index(b"Xing") + 4)


def test_an_mp3_that_was_joined_is_read_to_its_end(tmp_path):
    """Its header is the first song's, which says nothing of the second."""
    (one, _), (other, _) = mp3s(tmp_path, 2, 3)
    tags = b"TAG" + bytes(125), b"ID3\x04\x00\x00" + bytes((0, 0, 2, 0)) + bytes(256)
    for between in (b"", b"".join(tags)):
        (tmp_path / "both.mp3").write_bytes(one + between + other)
        facts = audio.info(tmp_path / "both.mp3")
        assert facts.frames == pytest.approx(5 * RATE, abs=4000)
        assert audio.read(tmp_path / "both.mp3").shape[1] == facts.frames


def test_tags_behind_an_mp3_are_no_sound(tmp_path):
    """Not even where a picture in them has a frame's first bytes."""
    ((one, _),) = mp3s(tmp_path, 2)
    picture = b"\xff\xfb\x90\x00" * 5000
    size = (len(picture) + 32).to_bytes(4, "little")
    ape = b"APETAGEX" + b"\xd0\x07\0\0" + size + bytes(16)
    (tmp_path / "tagged.mp3").write_bytes(one + ape + picture + ape + b"TAG" + bytes(125))
    assert audio.info(tmp_path / "tagged.mp3").frames == 2 * RATE


@pytest.mark.parametrize("frames", ("halved", "none", "no field"))
def test_an_mp3_whose_header_is_wrong_is_read_to_its_end(tmp_path, frames):
    ((one, _),) = mp3s(tmp_path, 2)
    data = bytearray(one)
    place = data.index(b"Xing") + 4
    count = int.from_bytes(data[place + 4 : place + 8], "big")
    if frames == "no field":
        data[place + 3] &= ~1
    else:
        data[place + 4 : place + 8] = (count // 2 if frames == "halved" else 0).to_bytes(4, "big")
    (tmp_path / "a.mp3").write_bytes(data)
    assert audio.read(tmp_path / "a.mp3").shape[1] == pytest.approx(2 * RATE, abs=3000)


@pytest.mark.parametrize("where", ("begin", "midst", "end", "lyrics"))
def test_what_is_no_sound_in_a_bare_mp3_is_left_out(tmp_path, caplog, where):
    ((one, second),) = mp3s(tmp_path, 3)
    bare = one[second:]
    middle = bare.index(b"\xff\xfb", len(bare) // 2)
    dirt = {
        "begin": bare[700:1200] + bare,
        "midst": bare[:middle] + b"\x55" * 700 + bare[middle:],
        "end": bare + bytes(1000),
        "lyrics": bare + b"LYRICSBEGIN" + b"la " * 300 + b"000911LYRICS200" + b"TAG" + bytes(125),
    }
    (tmp_path / "a.mp3").write_bytes(dirt[where])
    assert audio.info(tmp_path / "a.mp3").frames == pytest.approx(3 * RATE, abs=4000)
    told = ["a.mp3: what is no sound in its midst is left out" in text for text in caplog.messages]
    assert told == [True] * (where == "midst")
    (tmp_path / "a.mp3").write_bytes(bare[:2000] + b"\x55" * 100_000)
    with pytest.raises(ValueError, match=r"is damaged|is not audio"):
        audio.read(tmp_path / "a.mp3")


def test_a_wav_whose_recorder_crashed_is_read_to_its_end(tmp_path):
    """It had not yet written how long it is."""
    audio.write(tmp_path / "a.wav", noise(), RATE)
    data = bytearray((tmp_path / "a.wav").read_bytes())
    place = data.index(b"data") + 4
    data[place : place + 4] = bytes(4)
    for riff in (data[4:8], bytes(4)):
        data[4:8] = riff
        (tmp_path / "a.wav").write_bytes(data)
        assert audio.info(tmp_path / "a.wav").frames == audio.read(tmp_path / "a.wav").shape[1]
        assert audio.info(tmp_path / "a.wav").frames == RATE
    (tmp_path / "a.wav").write_bytes(data[: place + 4])
    with pytest.raises(ValueError, match="holds no samples"):
        audio.read(tmp_path / "a.wav")


def test_an_mp3_that_goes_on_in_mono_or_at_another_rate_keeps_what_it_began_with(tmp_path):
    parts = []
    for channels, rate in ((2, RATE), (1, RATE), (2, 32000)):
        audio.write(tmp_path / "a.mp3", noise(channels, rate), rate)
        parts.append((tmp_path / "a.mp3").read_bytes())
    (tmp_path / "all.mp3").write_bytes(b"".join(parts))
    sound = audio.read(tmp_path / "all.mp3")
    assert sound.shape == (2, pytest.approx(3 * RATE, abs=9000))
    level = [np.sqrt(np.square(sound[:, t : t + 9000]).mean()) for t in (20000, 65000, 110_000)]
    # FFmpeg plays mono 3 dB quieter on two loudspeakers.
    assert level == pytest.approx([level[0], level[0] / 2**0.5, level[0]], rel=0.1)


def test_an_opus_file_that_goes_on_in_stereo_is_told(tmp_path):
    for channels in (1, 2):
        samples = noise(channels, 48000).T
        path = tmp_path / f"{channels}.opus"
        soundfile.write(path, samples, 48000, format="OGG", subtype="OPUS")
    both = tmp_path / "both.opus"
    both.write_bytes((tmp_path / "1.opus").read_bytes() + (tmp_path / "2.opus").read_bytes())
    with pytest.raises(ValueError, match=r"goes on at 1\.0 s with other channels .* convert it"):
        audio.read(both)


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
