"""What every test, or more than one test file, needs."""

import importlib.util
import os
import signal
import socket
from pathlib import Path

import pytest
import torch
from chromium import BROWSER, DRIVER, chromium

import asteroid_karaoke  # noqa: F401  (mends torchaudio before a test imports asteroid)

# Fixtures: a sound in every format, a server on loopback to fetch from, a model to run, and stems
# to score.
pytest_plugins = ["sound_files", "youtube_site", "command_line", "scored"]

# A shell starts what it puts in the background with Ctrl-C ignored, and so would all our children.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """More threads slow small tensors down, and a busy machine by far more."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def cache_of_its_own(tmp_path_factory):
    """Exported networks go to a folder of the tests' own, not to the user's."""
    os.environ["ASTEROID_KARAOKE_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    del os.environ["ASTEROID_KARAOKE_CACHE"]


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch):
    """No test needs the network: a look-up of any other host than this one fails at once."""
    look_up = socket.getaddrinfo

    def refuse(host, *args, **kwargs):
        if host not in (None, "", "localhost", "127.0.0.1", "::1"):
            raise socket.gaierror(socket.EAI_FAIL, f"a test asked for {host}, not for loopback")
        return look_up(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(scope="session")
def stempeg_excerpt() -> Path:
    """A few seconds of a MUSDB18 song: mixture, drums, bass, other and vocals as streams 0 to 4.

    museval brings stempeg along, which ships it; stempeg is looked up, not imported, since its
    import needs ffmpeg.
    """
    spec = importlib.util.find_spec("stempeg")
    assert spec is not None and spec.submodule_search_locations, "museval depends on stempeg"
    (path,) = Path(spec.submodule_search_locations[0], "data").glob("*.stem.mp4")
    return path


@pytest.fixture
def artefacts(tmp_path) -> Path:
    """Where tests leave what somebody may want to look at: the folder that ARTEFACTS names."""
    folder = Path(os.environ.get("ARTEFACTS") or tmp_path / "artefacts")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def browser(tmp_path):
    """Headless Chromium, which downloads to ``tmp_path / "downloads"`` and keeps a log."""
    if not (BROWSER and DRIVER):
        # .ci/run installs both; a contributor may have another browser.
        pytest.skip("no chromium and chromedriver on this machine")
    with chromium(tmp_path / "downloads", "hide-scrollbars") as driver:
        yield driver
