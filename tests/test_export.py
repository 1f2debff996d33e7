"""What is exported can be read by others, and is whole or not there."""

import json

import numpy as np
import pytest
import torch

from asteroid_karaoke import KaraokeNet, export
from asteroid_karaoke.weights import read_safetensors, save_safetensors


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return KaraokeNet(size="tiny", depth=1).eval()


def test_safetensors_give_the_model_again(model, tmp_path):
    card = save_safetensors(model.serialize(), tmp_path / "m.safetensors")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.json", "m.safetensors"]
    facts = json.loads(card.read_text())
    assert facts["model_name"] == "KaraokeNet" and facts["model_args"]["depth"] == 1
    again = KaraokeNet.from_pretrained(tmp_path / "m.safetensors")
    assert not again.training and again.get_model_args() == model.get_model_args()
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), name


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda m: m.write_bytes(m.read_bytes()[:-1]), "hold no model"),
        (lambda m: m.write_bytes(m.read_bytes()[:-1] + b"\0"), "do not belong together"),
        (lambda m: m.write_bytes(b""), "hold no model"),
        (lambda m: m.with_suffix(".json").write_text("{"), "hold no model"),
        (lambda m: m.with_suffix(".json").write_text("[]"), "hold no model"),
        (lambda m: m.with_suffix(".json").write_text("{}"), "hold no model"),
    ],
)
def test_damaged_safetensors_are_refused(model, tmp_path, damage, complaint):
    path = tmp_path / "m.safetensors"
    save_safetensors(model.serialize(), path)
    damage(path)
    with pytest.raises(ValueError, match=complaint):
        KaraokeNet.from_pretrained(path)


def test_what_is_missing_of_safetensors_is_said(model, tmp_path):
    save_safetensors(model.serialize(), tmp_path / "m.safetensors")
    (tmp_path / "m.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"no .*m\.json, which says what model"):
        KaraokeNet.from_pretrained(tmp_path / "m.safetensors")
    with pytest.raises(FileNotFoundError, match="no model"):
        KaraokeNet.from_pretrained("folder/m.safetensors")
    with pytest.raises(ValueError, match=r"does not end in \.safetensors"):
        save_safetensors(model.serialize(), tmp_path / "m.pth")


def test_a_write_that_fails_leaves_the_old_weights(model, tmp_path, monkeypatch):
    save_safetensors(model.serialize(), tmp_path / "m.safetensors")
    before = read_safetensors(tmp_path / "m.safetensors")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        save_safetensors(model.serialize(), tmp_path / "m.safetensors")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.json", "m.safetensors"]
    assert before["model_args"] == read_safetensors(tmp_path / "m.safetensors")["model_args"]


def test_onnx_is_valid_and_takes_any_batch_and_frames(model, tmp_path):
    onnx = pytest.importorskip("onnx")
    export.export_onnx(model, tmp_path / "m.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]
    graph = onnx.load(tmp_path / "m.onnx")
    onnx.checker.check_model(graph, full_check=True)
    (given,), (mask,) = graph.graph.input, graph.graph.output
    for value, name, channels in ((given, "features", 8), (mask, "mask", 4)):
        sizes = [size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim]
        assert value.name == name and sizes == ["batch", channels, 2049, "frames"]
    assert "BatchNormalization" not in {node.op_type for node in graph.graph.node}


def test_openvino_reads_the_network_and_keeps_float32_where_it_is_marked(model, tmp_path):
    openvino = pytest.importorskip("openvino")
    pytest.importorskip("onnx")
    export.export_openvino(model, tmp_path / "m.xml")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.bin", "m.xml"]
    graph = openvino.Core().read_model(tmp_path / "m.xml")
    assert graph.input(0).partial_shape.to_string() == "[?,8,2049,?]"
    kept, half = set(), set()
    for node in graph.get_ordered_ops():
        marked = any("Precision" in name for name in node.get_rt_info())
        (kept if marked else half).add(node.get_friendly_name())
    assert {"/fold/Add", "/encoder.0/Add", "/bottleneck/bottleneck.0/Add_1"} <= kept
    assert any("/bottleneck.0/convolution/Conv" in name for name in half)
    compute = {
        node.get_friendly_name()
        for node in graph.get_ordered_ops()
        if node.get_type_name() in ("Convolution", "Add", "MatMul")
    }
    assert all(
        name.startswith(("/encoder.", "/bottleneck/", "/decoder.")) for name in half & compute
    )
    given = np.random.default_rng(0).normal(size=(2, 8, 2049, 8)).astype(np.float32)
    (found,) = openvino.compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(
        given
    ).values()
    with torch.no_grad():
        expected = model.masker.network(torch.from_numpy(given)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_masker_without_a_network_can_not_be_exported(tmp_path):
    with pytest.raises(ValueError, match=r"UNet has no method network\(features\)"):
        export.export_onnx(KaraokeNet(masker="unet"), tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_exporting_leaves_the_model_as_it_was(model, tmp_path):
    model.train()
    try:
        export.export_onnx(model, tmp_path / "m.onnx")
        assert model.training and "network" not in vars(model.masker)
    finally:
        model.eval()
