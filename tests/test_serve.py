"""The command `serve`: its options, its port, its end."""

import os
import signal
import socket
import subprocess
import sys
from urllib.request import ProxyHandler, build_opener

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from stand_ins import tiny_weights

from asteroid_karaoke import cli
from asteroid_karaoke.web.server import listen


def test_a_port_that_is_taken_is_named(capsys, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        assert cli.main(["serve", "--port", port, "--model", str(tiny_weights(tmp_path))]) == 2
    assert f"port {port}" in capsys.readouterr().err


@pytest.mark.parametrize("host", ["[::1]", "no-such-host.invalid"])
def test_a_host_that_is_none_is_named(capsys, tmp_path, host):
    command = ["serve", "--host", host, "--model", str(tiny_weights(tmp_path))]
    assert cli.main(command) == 2
    assert f"--host '{host}' is no name or address of this machine" in capsys.readouterr().err


@pytest.mark.parametrize(("system", "reused"), [("posix", True), ("nt", False)])
def test_a_port_is_taken_again_only_where_that_robs_nobody(system, reused, monkeypatch):
    """Windows' SO_REUSEADDR lets two programs listen at one port."""
    with monkeypatch.context() as patch:
        patch.setattr(os, "name", system)
        listener = listen("127.0.0.1", 0)
    with listener:
        assert bool(listener.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)) is reused


@pytest.mark.parametrize("option", [["--port", "70000"], ["--max-size", "0"], ["--jobs", "x"]])
def test_options_that_make_no_sense(option, capsys):
    assert cli.main(["serve", *option]) == 2
    assert option[0] in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="signals as terminals send them")
def test_the_command_serves_until_it_is_stopped_and_leaves_nothing(tmp_path):
    place = tmp_path / "songs"
    place.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "asteroid_karaoke.cli", "serve", "--port", "0"]
        + ["--model", str(tiny_weights(tmp_path)), "--device", "cpu", "--backend", "torch"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(place), "PYTHONUNBUFFERED": "1"},
    )
    with process:
        try:
            lines = [process.stdout.readline() for _ in range(2)]
            assert "torch" in lines[0]
            address = lines[1].split()[1]
            with build_opener(ProxyHandler({})).open(f"{address}/api/about") as answer:
                assert answer.status == 200
            assert [folder.name for folder in place.iterdir() if "web" in folder.name]
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait() == 0
    assert not [folder.name for folder in place.iterdir() if "web" in folder.name]
