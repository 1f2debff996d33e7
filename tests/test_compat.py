"""The stand-in for torchaudio: there where torchaudio does not load, and only there."""

import importlib
import importlib.util
import sys

import pytest
import torch

from asteroid_karaoke import _compat


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Put a package named torchaudio with the given ``__init__`` in front of any real one."""
    kept = {name: module for name, module in sys.modules.items() if _is_torchaudio(name)}
    for name in kept:
        del sys.modules[name]

    def install(text: str) -> None:
        package = tmp_path / "torchaudio"
        package.mkdir()
        (package / "__init__.py").write_text(text)
        (package / "part.py").write_text("loaded = True\n")
        monkeypatch.syspath_prepend(tmp_path)

    yield install
    for name in [name for name in sys.modules if _is_torchaudio(name)]:
        del sys.modules[name]
    sys.modules.update(kept)


def _is_torchaudio(name: str) -> bool:
    return name.partition(".")[0] == "torchaudio"


@pytest.mark.parametrize(
    "error",
    [
        "OSError('libc10_cuda.so: cannot open shared object file')",
        "RuntimeError('PyTorch and TorchAudio were compiled with different CUDA versions')",
        "ImportError('undefined symbol')",
    ],
)
def test_stands_in_for_a_torchaudio_that_does_not_load(fake, error):
    fake(f"from . import part\nraise {error}\n")
    _compat.ensure_torchaudio()

    from torchaudio.transforms import Resample

    assert Resample is _compat.Resample
    assert "torchaudio.part" not in sys.modules, "half of the broken torchaudio is still there"


def test_stands_in_for_a_torchaudio_that_is_not_installed(fake, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchaudio", None)
    _compat.ensure_torchaudio()
    assert importlib.import_module("torchaudio").transforms.Resample is _compat.Resample


def test_leaves_a_torchaudio_that_loads_alone(fake):
    fake("from . import part\n")
    _compat.ensure_torchaudio()
    assert sys.modules["torchaudio"].part.loaded
    assert "torchaudio.transforms" not in sys.modules


def test_does_not_hide_other_faults(fake):
    fake("1 / 0\n")
    with pytest.raises(ZeroDivisionError):
        _compat.ensure_torchaudio()


def test_a_second_call_changes_nothing(fake):
    fake("raise OSError\n")
    _compat.ensure_torchaudio()
    first = sys.modules["torchaudio"]
    _compat.ensure_torchaudio()
    assert sys.modules["torchaudio"] is first


def test_the_stand_in_answers_probes_and_says_what_it_is(fake):
    fake("raise OSError('no libc10_cuda.so')\n")
    _compat.ensure_torchaudio()
    torchaudio = importlib.import_module("torchaudio")
    assert importlib.util.find_spec("torchaudio") is not None
    assert not hasattr(torchaudio, "__version__")
    with pytest.raises(AttributeError, match=r"no 'load' here.*no libc10_cuda\.so"):
        torchaudio.load("song.wav")
    with pytest.raises(ImportError):
        importlib.import_module("torchaudio.functional")


def test_resample_keeps_what_both_rates_hold_and_drops_the_rest():
    resample = _compat.Resample(
        orig_freq=44100, new_freq=10000, resampling_method="sinc_interpolation"
    )
    time = torch.arange(44101) / 44100
    low, high = (torch.sin(2 * torch.pi * hertz * time) for hertz in (1000, 8000))
    resampled = resample(torch.stack([low, high]))

    assert resampled.shape == (2, 10001), "torchaudio rounds lengths up"
    expected = torch.sin(2 * torch.pi * 1000 * torch.arange(10001) / 10000)
    middle = slice(200, -200)
    torch.testing.assert_close(resampled[0, middle], expected[middle], atol=1e-2, rtol=0)
    assert resampled[1, middle].abs().max() < 1e-2


def test_resample_to_the_same_rate_changes_nothing():
    wave = torch.randn(3, 2, 100, generator=torch.Generator().manual_seed(0))
    assert torch.equal(_compat.Resample(16000, 16000)(wave), wave)
