"""Archives that are not trusted: no way out of the folder, no bomb, nothing half."""

import stat
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from stand_ins import dead_part

from recipes import archives


def pack(path: Path, *members: tuple[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def test_unpacking_goes_on_where_it_broke_off(tmp_path):
    archive = pack(tmp_path / "a.zip", ("one", b"1" * 5000), ("two", b"2" * 5000), ("three", b"3"))
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "one").write_bytes(b"1" * 5000)
    kept = (folder / "one").stat().st_mtime_ns
    # As long as it should be, with other content.
    (folder / "two").write_bytes(b"x" * 5000)
    dead_part(folder)
    archives.unpack(archive, folder, 100_000)
    assert (folder / "one").stat().st_mtime_ns == kept
    assert (folder / "two").read_bytes() == b"2" * 5000
    assert {path.name for path in folder.iterdir()} == {"one", "two", "three", ".completed"}
    # Done is done, until the archive is another one.
    (folder / "three").unlink()
    archives.unpack(archive, folder, 100_000)
    assert not (folder / "three").exists()
    archives.unpack(pack(archive, ("three", b"33")), folder, 100_000)
    assert (folder / "three").read_bytes() == b"33"


@pytest.mark.parametrize(
    "name", ["../slip", "a/../../slip", "/tmp/slip", "..\\slip", "C:\\slip", "C:slip", "a\nb"]
)
def test_no_member_leads_out_of_the_folder(tmp_path, name):
    archive = pack(tmp_path / "a.zip", ("good", b"1"), (name, b"2"))
    with pytest.raises(ValueError, match=r"leads out of the folder|control characters"):
        archives.unpack(archive, tmp_path / "out" / "corpus", 100_000)
    assert [path.name for path in tmp_path.rglob("*")] == ["a.zip"]


def test_links_are_refused(tmp_path):
    link = zipfile.ZipInfo("song/mix.wav")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(ValueError, match="a link or a device"):
        archives.unpack(tmp_path / "a.zip", tmp_path / "out", 100_000)


def test_links_that_are_there_are_not_followed(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out" / "song").symlink_to(tmp_path / "elsewhere")
    archive = pack(tmp_path / "a.zip", ("song/mix.wav", b"1"))
    with pytest.raises(ValueError, match="by a link"):
        archives.unpack(archive, tmp_path / "out", 100_000)
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_bomb_is_refused_before_anything_is_written(tmp_path):
    archive = pack(tmp_path / "a.zip", ("good", b"1"), ("zeros", bytes(10_000_000)))
    assert archive.stat().st_size < 20_000
    with pytest.raises(ValueError, match="unpacks to 10,000,001 bytes, expected at most 1,000,000"):
        archives.unpack(archive, tmp_path / "out", 1_000_000)
    assert not (tmp_path / "out").exists()


def test_a_bomb_that_lies_about_its_size_fills_nothing(tmp_path):
    archive = pack(tmp_path / "a.zip", ("zeros", bytes(10_000_000)))
    content, size = archive.read_bytes(), struct.pack("<I", 10_000_000)
    assert content.count(size) == 2
    archive.write_bytes(content.replace(size, struct.pack("<I", 1000)))
    with pytest.raises(ValueError, match="can be read to its end"):
        archives.unpack(archive, tmp_path / "out", 1_000_000)
    assert not list((tmp_path / "out").iterdir())


def test_more_than_the_disk_holds_is_not_begun(tmp_path, monkeypatch):
    archive = pack(tmp_path / "a.zip", ("one", b"1" * 5000))
    usage = archives.shutil.disk_usage(tmp_path)._replace(free=4000)
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(OSError, match="has 4,000 bytes left, unpacking takes 5,000"):
        archives.unpack(archive, tmp_path / "out", 100_000)


@pytest.mark.parametrize("spoil", [lambda zip: zip[:-30], lambda zip: b"no zip", lambda zip: b""])
def test_what_is_no_whole_archive_is_told(tmp_path, spoil):
    archive = pack(tmp_path / "a.zip", ("one", bytes(1000)))
    archive.write_bytes(spoil(archive.read_bytes()))
    with pytest.raises(ValueError, match=r"a\.zip is no zip archive"):
        archives.unpack(archive, tmp_path / "out", 100_000)


def test_a_damaged_member_leaves_nothing_half(tmp_path):
    archive = pack(
        tmp_path / "a.zip", ("one", b"1" * 99), ("two", np.random.default_rng(0).bytes(5000))
    )
    content = bytearray(archive.read_bytes())
    content[-2000] ^= 255
    archive.write_bytes(content)
    with pytest.raises(ValueError, match="can be read to its end"):
        archives.unpack(archive, tmp_path / "out", 100_000)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["one"]


@pytest.mark.parametrize("members", [[("a", b"1"), ("a", b"2")], [("a", b"1"), ("./a", b"2")]])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_stands_twice_is_told(tmp_path, members):
    archive = pack(tmp_path / "a.zip", *members)
    with pytest.raises(ValueError, match="twice"):
        archives.unpack(archive, tmp_path / "out", 100_000)
