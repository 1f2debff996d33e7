"""Backends: the same voice as torch's, within the limits that are promised."""

import logging

import pytest
import torch

from asteroid_karaoke import KaraokeNet, audio, backends, processor
from asteroid_karaoke.backends import accelerate, cache, compiled
from asteroid_karaoke.overlap_add import run

RATE = 44100
#: How far off a voice may be, in dB of the mixture.
LIMITS = {"float32": -80, "bfloat16": -60}
WAYS = [
    ("torch", "float32"),
    ("torch", "bfloat16"),
    ("openvino", "float32"),
    ("openvino", "bfloat16"),
    ("onnx", "float32"),
]


def seasoned(model):
    """Batch norms as of a model that has seen something."""
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.1)
    return model.eval()


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return seasoned(KaraokeNet(size="tiny", depth=2))


@pytest.fixture(scope="module")
def music():
    """Three seconds of a gliding voice over a chord and a beat of noise, `(2, time)`."""
    time = torch.arange(3 * RATE) / RATE
    phase = 2 * torch.pi * torch.cumsum(220 + 8 * torch.sin(30 * time) + 20 * time, 0) / RATE
    voice = sum(torch.sin(k * phase) / k for k in range(1, 30))
    chord = sum(torch.sin(2 * torch.pi * f * k * time) / k for f in (131, 165, 196) for k in (1, 2))
    noise = torch.randn(len(time), generator=torch.Generator().manual_seed(0))
    beat = noise * torch.exp(-20 * (time % 0.5))
    left, right = 0.1 * voice + 0.08 * chord + 0.2 * beat, 0.1 * voice - 0.05 * chord + 0.2 * beat
    return torch.stack([left, right])


@pytest.fixture(scope="module")
def voice(model, music):
    return torch.from_numpy(run(model, music.numpy()))


def needs(backend):
    # Backends are extras: `make test` installs them, `pip install .` does not.
    if not backends.installed(backend):
        pytest.skip(f"{backend} is not installed")


def off(found, expected, signal):
    """Power of the difference in dB of the signal."""
    error = (torch.as_tensor(found) - expected).square().mean() / signal.square().mean()
    return float(10 * torch.log10(error.clamp(min=1e-30)))


@pytest.mark.parametrize(("backend", "precision"), WAYS)
def test_the_voice_is_the_one_of_torch(model, music, voice, backend, precision):
    needs(backend)
    fast, runs = accelerate(model, backend, precision)
    assert runs == f"{backend}, {precision}"
    found = run(fast, music.numpy())
    assert off(found, voice, music) < LIMITS[precision]
    assert not torch.equal(torch.from_numpy(found), voice), "nothing was exchanged"
    if precision == "bfloat16":  # it is what it says
        assert off(found, voice, music) > LIMITS["float32"]


@pytest.mark.parametrize("backend", ["torch", "openvino"])
def test_what_ships_keeps_the_limit_with_room_to_spare(stempeg_excerpt, backend):
    """The longer weights have learnt, the more bfloat16 costs them, and songs differ by 3 dB."""
    needs(backend)
    model = KaraokeNet.from_pretrained("karaoke-small")
    song = audio.read(stempeg_excerpt)
    fast, _ = accelerate(model, backend, "bfloat16")
    expected = torch.from_numpy(run(model, song))
    assert off(run(fast, song), expected, torch.from_numpy(song)) < LIMITS["bfloat16"] - 4


@pytest.mark.parametrize("backend", ["openvino", "onnx"])
def test_any_batch_and_length_again_and_again(model, music, backend):
    needs(backend)
    fast, _ = accelerate(model, backend, "float32")
    with torch.inference_mode():
        for batch, length in ((1, 30000), (1, 30000), (1, 30000), (3, 20000), (1, 30000)):
            wave = music[None, :, :length].expand(batch, -1, -1)
            assert off(fast(wave), model(wave), wave) < LIMITS["float32"]


def test_the_model_itself_stays_as_it_is(music):
    torch.manual_seed(1)
    model = seasoned(KaraokeNet(size="tiny", depth=2)).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    accelerate(model, "torch", "bfloat16")
    assert model.training
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_norms_are_folded(model):
    fast, _ = accelerate(model, "torch")
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in fast.modules())


def test_blocks_that_can_not_be_traced_stay_as_they_are(music):
    torch.manual_seed(2)
    model = seasoned(KaraokeNet(size="tiny", depth=1, bottleneck="recurrent"))
    fast, _ = accelerate(model, "torch", "float32")
    expected = torch.from_numpy(run(model, music.numpy()))
    assert off(run(fast, music.numpy()), expected, music) < LIMITS["float32"]


def test_other_maskers_run_by_torch(music):
    torch.manual_seed(3)
    model = seasoned(KaraokeNet(masker="unet"))
    fast, runs = accelerate(model)
    assert runs == "torch, float32"
    expected = torch.from_numpy(run(model, music.numpy()))
    assert off(run(fast, music.numpy()), expected, music) < LIMITS["float32"]
    for backend in ("openvino", "onnx"):
        needs(backend)
        with pytest.raises(ValueError, match=r"UNet has no method network.*backend torch"):
            accelerate(model, backend)
    with pytest.raises(ValueError, match="no bfloat16 for the masker UNet"):
        accelerate(model, "torch", "bfloat16")


@pytest.mark.parametrize(
    ("there", "bfloat16", "expected"),
    [
        ({"openvino", "onnx"}, True, "torch, bfloat16"),
        ({"openvino", "onnx"}, False, "openvino, float32"),
        ({"openvino"}, False, "openvino, float32"),
        ({"onnx"}, False, "torch, float32"),
        (set(), True, "torch, bfloat16"),
        (set(), False, "torch, float32"),
    ],
)
def test_auto_takes_the_fastest_that_is_there(model, monkeypatch, there, bfloat16, expected):
    monkeypatch.setattr(backends, "installed", lambda name: name in {"torch", *there})
    monkeypatch.setattr(backends, "has_bfloat16", lambda: bfloat16)
    monkeypatch.setattr(compiled, "network", lambda *_: torch.nn.Identity())
    assert accelerate(model)[1] == expected


@pytest.mark.parametrize("error", (RuntimeError, ImportError))
def test_auto_goes_on_with_torch_where_another_fails(model, monkeypatch, caplog, error):
    def broken(*_):
        raise error("the plugin is broken")

    monkeypatch.setattr(backends, "installed", lambda name: True)
    monkeypatch.setattr(backends, "has_bfloat16", lambda: False)
    monkeypatch.setattr(compiled, "network", broken)
    with caplog.at_level(logging.WARNING):
        assert accelerate(model)[1].startswith("torch")
    assert "openvino can not run this model" in caplog.text
    with pytest.raises(RuntimeError, match="plugin is broken"):
        accelerate(model, "openvino")


def test_what_can_not_be_is_said(model, monkeypatch):
    with pytest.raises(ValueError, match="backend is 'tvm', expected one of auto, torch"):
        accelerate(model, "tvm")
    with pytest.raises(ValueError, match="precision is 'int8', expected one of"):
        accelerate(model, "torch", "int8")
    monkeypatch.setattr(backends, "installed", lambda name: name == "torch")
    with pytest.raises(RuntimeError, match=r"needs openvino and onnx: pip install '.*\[openvino\]"):
        accelerate(model, "openvino")


# the cache


@pytest.fixture
def built(monkeypatch, tmp_path):
    """A cache of its own; a function that asks for the entry, and the list of what was built."""
    monkeypatch.setenv("ASTEROID_KARAOKE_CACHE", str(tmp_path))
    calls = []

    def build(part):
        calls.append(part)
        (part / "network.bin").write_bytes(b"weights")

    return (lambda key="a": cache.entry(key, build)), calls


def test_an_entry_is_built_once_a_key(built):
    entry, calls = built
    assert entry() == entry()
    assert entry("b") != entry()
    assert len(calls) == 2
    assert sorted(path.name for path in entry().iterdir()) == ["network.bin", "sha256.json"]


@pytest.mark.parametrize("name", ["network.bin", "sha256.json"])
@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(b"weight"), lambda p: p.unlink()])
def test_a_damaged_entry_is_built_anew(built, name, damage):
    entry, calls = built
    damage(entry() / name)
    assert (entry() / "network.bin").read_bytes() == b"weights"
    assert len(calls) == 2


def test_a_build_that_fails_leaves_nothing(built):
    def fails(part):
        (part / "half").write_bytes(b"")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        cache.entry("c", fails)
    assert not list(cache.folder().iterdir())


@pytest.mark.parametrize("backend", ["openvino", "onnx"])
def test_networks_are_kept_by_their_weights(model, built, backend):
    needs(backend)

    def entries():
        return {path.name for path in cache.folder().iterdir()}

    accelerate(model, backend)
    one = entries()
    accelerate(model, backend)
    assert entries() == one and len(one) == 1
    torch.manual_seed(4)
    accelerate(KaraokeNet(size="tiny", depth=2), backend)
    assert len(entries()) == 2


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("flags : sse avx512_bf16 fma", True), ("flags : amx_bf16", True), ("flags : avx512f", False)],
)
def test_bfloat16_is_known_by_the_processors_flags(tmp_path, flags, expected):
    path = tmp_path / "cpuinfo"
    path.write_text(flags)
    assert processor.has_bfloat16(path) is expected
    assert processor.has_bfloat16(tmp_path / "none") is False
