"""The command `live`: as a process with pipes, and in this one with sound devices that are made up.

What the sliding window gives is tested in test_sliding.py.
"""

import io
import os
import re
import signal
import subprocess
import sys
import threading
import time
from argparse import ArgumentParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from asteroid_karaoke import KaraokeNet, devices, live, separation
from asteroid_karaoke.live import Meter, raw_writer, read_raw

RATE = 8000


@pytest.fixture(scope="module")
def model_path(tmp_path_factory) -> Path:
    torch.manual_seed(0)
    model = KaraokeNet(size="tiny", sample_rate=RATE, n_fft=512, hop_length=128)
    path = tmp_path_factory.mktemp("model") / "model.pth"
    torch.save(model.serialize(), path)
    return path


def noise(channels=2, frames=3 * RATE):
    generator = np.random.default_rng(0)
    return generator.uniform(-0.5, 0.5, (channels, frames)).astype(np.float32)


def raw(sound, kind="<f4"):
    full_scale = 32768 if kind == "<i2" else 1
    return (sound.T * full_scale).astype(kind).tobytes()


def command(*arguments):
    parser = ArgumentParser()
    live.add_parser(parser.add_subparsers())
    options = parser.parse_args(["live", "--rate", str(RATE), *arguments])
    return options.run(options)


def process(model_path, *arguments):
    code = "import sys; from asteroid_karaoke.cli import main; sys.exit(main())"
    return subprocess.Popen(
        [
            *(sys.executable, "-W", "ignore", "-c", code, "live", "--model", str(model_path)),
            *("--rate", str(RATE), "--sample-format", "f32le", *arguments),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).parent.parent,
    )


class Pipes:
    """Standard input and output in place of the test's own."""

    def __init__(self, monkeypatch, given):
        self.out = io.BytesIO()
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(given)))
        monkeypatch.setattr(live.sys, "stdout", SimpleNamespace(buffer=self.out))

    def sound(self, channels=2):
        return np.frombuffer(self.out.getvalue(), "<f4").reshape(-1, channels).T


@pytest.mark.parametrize("stem", ("karaoke", "vocals"))
def test_a_file_through_the_pipe_is_the_offline_result(monkeypatch, model_path, stem):
    mixture = noise()
    pipes = Pipes(monkeypatch, raw(mixture))
    given = ("--model", str(model_path), "--sample-format", "f32le", "--stem", stem)
    assert command(*given, "--device", "cpu") == 0
    offline = separation.separate(KaraokeNet.from_pretrained(model_path), mixture, RATE)
    wanted = offline.vocals if stem == "vocals" else offline.accompaniment
    got = pipes.sound()
    assert got.shape == wanted.shape
    sdr = 10 * np.log10(np.square(wanted).sum() / np.square(wanted - got).sum())
    assert sdr > 30


def test_the_voice_can_be_turned_down_only(monkeypatch, model_path):
    mixture = noise()
    pipes = Pipes(monkeypatch, raw(mixture))
    given = ("--model", str(model_path), "--sample-format", "f32le", "--vocals-level=0dB")
    assert command(*given) == 0
    np.testing.assert_allclose(pipes.sound(), mixture, atol=1e-6)


def test_in_real_time_it_stays_less_than_a_second_behind(model_path):
    """A process is fed as a recorder would feed it. What comes early enough is all but the last s.

    Not the clock is looked at, but what is there: the input is kept open, so nothing is flushed.
    """
    mixture, came = noise(frames=4 * RATE), bytearray()
    with process(model_path) as running:
        reader = threading.Thread(target=lambda: _collect(running.stdout, came))
        reader.start()
        for start in range(0, 4 * RATE, RATE // 20):
            running.stdin.write(raw(mixture[:, start : start + RATE // 20]))
            running.stdin.flush()
        # All but one second comes while the input is open; a hang fails here.
        wanted = 3 * RATE * 2 * 4
        deadline = time.monotonic() + 120
        while len(came) < wanted and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(came) >= wanted
        assert len(came) < len(raw(mixture))
        running.stdin.close()
        reader.join()
        said = running.stderr.read().decode()
        assert running.wait() == 0
    assert len(came) == len(raw(mixture))
    assert "s behind the input" in said


def _collect(file, into):
    while data := file.read1(1 << 16):
        into += data


def test_a_listener_who_goes_away_ends_it_without_a_word(monkeypatch, model_path, capsys):
    Pipes(monkeypatch, raw(noise()))
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "wb", buffering=0) as gone:
        out = SimpleNamespace(buffer=gone, fileno=gone.fileno)
        monkeypatch.setattr(live.sys, "stdout", out)
        assert command("--model", str(model_path)) == 0
        # Python flushes standard output at its end: that is no error any more.
        gone.write(b"the rest")
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("layout, kind", (("s16le", "<i2"), ("f32le", "<f4")))
@pytest.mark.parametrize("channels", (1, 3))
def test_raw_samples_there_and_back(layout, kind, channels):
    sound, file = noise(channels, 1000), io.BytesIO()
    write = raw_writer(file, layout)
    write(sound[:, :300])
    write(sound[:, 300:])
    file.seek(0)
    got = np.concatenate(list(read_raw(file, layout, RATE, channels)), axis=1)
    np.testing.assert_allclose(got, sound, atol=0.5 / 32768 if layout == "s16le" else 0)
    assert file.getvalue() == raw(np.rint(sound * 32768) / 32768 if kind == "<i2" else sound, kind)


def test_integers_clip_and_do_not_wrap():
    file = io.BytesIO()
    raw_writer(file, "s16le")(np.array([[1.5, -1.5, 1, -1]], np.float32))
    assert np.frombuffer(file.getvalue(), "<i2").tolist() == [32767, -32768, 32767, -32768]


def test_samples_that_come_in_pieces_are_put_together():
    class Trickle(io.BytesIO):
        def read1(self, size=-1):
            return super().read1(min(size, 7))

    sound = noise(2, 50)
    got = list(read_raw(Trickle(raw(sound)), "f32le", RATE, 2))
    np.testing.assert_array_equal(np.concatenate(got, axis=1), sound)


def test_an_end_within_a_sample_is_told(capsys):
    list(read_raw(io.BytesIO(raw(noise(2, 10)) + b"123"), "f32le", RATE, 2))
    assert "3 of its 8 bytes are left out" in capsys.readouterr().err


def test_what_is_no_sound_is_refused(monkeypatch, model_path, capsys):
    Pipes(monkeypatch, raw(np.full((2, 100), np.nan)))
    assert command("--model", str(model_path), "--sample-format", "f32le") == 1
    assert "NaN or Inf: is it really f32le?" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", (("--rate", "100"), ("--channels", "two"), ("--channels", "65")))
def test_wrong_numbers_are_told(wrong, capsys):
    with pytest.raises(SystemExit):
        command(*wrong)
    assert re.search("expected a whole number, (1|8000) to", capsys.readouterr().err)


def test_what_takes_too_long_is_counted_and_a_slow_listener_is_not(monkeypatch):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(live.time, "perf_counter", lambda: clock.now)

    def passing(seconds):
        clock.now += seconds

    meter = Meter()
    for needed, written in zip(meter.watch([0.1, 9.0, 0.3, 0.5]), (0, 0, 5, 0), strict=True):
        passing(needed)
        meter.wait_for(passing, written)
    assert meter.late == 2


class Status:
    input_overflow = False


class MadeUp:
    """A sound device that records 3 s of noise, and plays into a list."""

    PortAudioError = type("PortAudioError", (Exception,), {})
    block = RATE // 10

    def __init__(self, end=lambda stream: setattr(stream, "active", False)):
        self.recorded, self.played, self.end, self.blocks = [], [], end, sys.maxsize

    def query_devices(self):
        return [{"name": "mic"}, {"name": "speaker"}]

    def _open(self, run, device, channels, callback):
        if device not in (None, 0, "mic", "speaker"):
            raise ValueError(f"No device matching {device!r}")
        stream = SimpleNamespace(active=True)
        thread = threading.Thread(target=run, args=(stream, channels, callback), daemon=True)

        def stop():
            stream.active = False
            if thread.is_alive():
                thread.join()

        stream.start, stream.stop, stream.close = thread.start, stop, stop
        return stream

    def InputStream(self, rate, device, channels, dtype, callback):
        return self._open(self._record, device, channels, callback)

    def OutputStream(self, rate, device, channels, dtype, callback):
        return self._open(self._play, device, channels, callback)

    def _record(self, stream, channels, callback):
        status = Status()
        sound = noise(channels, 30 * self.block).T
        for start in range(0, len(sound), self.block):
            status.input_overflow = start == 3 * self.block
            callback(sound[start : start + self.block], self.block, None, status)
        self.recorded = sound.T
        self.end(stream)

    def _play(self, stream, channels, callback):
        while stream.active and len(self.played) < self.blocks:
            samples = np.full((self.block, channels), np.nan, np.float32)
            callback(samples, self.block, None, Status())
            self.played.append(samples.T)
            time.sleep(0.001)
        stream.active = False


def test_a_device_is_recorded_and_lost_sound_is_told(monkeypatch, model_path, capsys):
    made_up = MadeUp()
    monkeypatch.setitem(sys.modules, "sounddevice", made_up)
    pipes = Pipes(monkeypatch, b"")
    given = ("--input", "mic", "--model", str(model_path), "--sample-format", "f32le")
    assert command(*given, "--vocals-level=0dB") == 0
    np.testing.assert_allclose(pipes.sound(), made_up.recorded, atol=1e-6)
    assert "recorded sound was lost 1 time(s)" in capsys.readouterr().err


def test_ctrl_c_ends_it_in_one_line(monkeypatch, model_path, capsys):
    """The device goes on for ever; a real signal comes."""
    made_up = MadeUp(end=lambda stream: os.kill(os.getpid(), signal.SIGINT))
    monkeypatch.setitem(sys.modules, "sounddevice", made_up)
    Pipes(monkeypatch, b"")
    assert command("--input", "0", "--model", str(model_path)) == 0
    assert "asteroid-karaoke: stopped" in capsys.readouterr().err.splitlines()


def test_a_device_plays_all_and_gaps_are_told(monkeypatch, model_path, capsys):
    """This device plays as fast as it can, so there are gaps; none is made of anything but 0."""
    made_up, mixture = MadeUp(), noise(frames=2 * RATE)
    monkeypatch.setitem(sys.modules, "sounddevice", made_up)
    Pipes(monkeypatch, raw(mixture))
    given = ("--output", "default", "--model", str(model_path), "--sample-format", "f32le")
    assert command(*given, "--vocals-level=0dB") == 0
    played = np.concatenate(made_up.played, axis=1)
    assert np.isfinite(played).all()
    np.testing.assert_allclose(played[:, played.any(axis=0)], mixture, atol=1e-6)
    assert not played[:, : round(live._SPARE_SECONDS * RATE)].any()
    assert "there was nothing to play" in capsys.readouterr().err


def test_what_comes_faster_than_it_is_played_waits(monkeypatch):
    """Until the device takes some of it; when the device is gone, that is told."""
    made_up = MadeUp()
    monkeypatch.setitem(sys.modules, "sounddevice", made_up)
    monkeypatch.setattr(devices.Player, "AHEAD_SECONDS", 0.2)
    made_up.blocks = 10
    with devices.Player("default", RATE, 2, spare=0.1) as player:
        for _ in range(8):
            player.write(np.ones((2, made_up.block), np.float32))
            assert player._waiting.shape[1] <= (0.1 + 0.2 + 0.1) * RATE
        with pytest.raises(OSError, match="the sound device that it is played on is gone"):
            for _ in range(8):
                player.write(np.ones((2, made_up.block), np.float32))


def test_devices_that_are_not_there_are_told_with_those_that_are(monkeypatch, model_path, capsys):
    monkeypatch.setitem(sys.modules, "sounddevice", MadeUp())
    assert command("--input", "radio", "--model", str(model_path)) == 1
    said = capsys.readouterr().err
    assert "'radio' can not be opened" in said and "0 mic, 1 speaker" in said


@pytest.mark.parametrize(
    "error, said",
    ((ImportError("no"), r"asteroid-karaoke\[live\]"), (OSError("PortAudio?"), "libportaudio2")),
)
def test_a_missing_library_is_told(monkeypatch, error, said):
    def missing(name):
        raise error

    monkeypatch.setattr(devices.importlib, "import_module", missing)
    with pytest.raises(RuntimeError, match=said):
        devices.library()
