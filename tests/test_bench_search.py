"""eval/bench/search.py: a network trained on a budget, measured, scored, and written down."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from asteroid_karaoke import audio, manifest
from asteroid_karaoke.datasets import RandomMixtures
from asteroid_karaoke.manifest import Song
from eval.bench import budget, measures, networks, pareto, search

RATE = 8000
#: A network that is trained in no time.
QUICK = {"size": "tiny", "width": 8, "depth": 1, "n_fft": 512, "hop_length": 128}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """Two songs of 3 s each: hums over noise, to train on and to validate on."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    time = np.arange(3 * RATE) / RATE
    stems = {
        "vocals": 0.2 * np.sin(2 * np.pi * 220 * time) * np.ones((2, 1)),
        "accompaniment": 0.05 * rng.standard_normal((2, len(time))),
    }
    paths = {name: str(folder / f"{name}.wav") for name in stems}
    for name, samples in stems.items():
        audio.write(paths[name], samples.astype(np.float32), RATE)
    for split in ("train", "valid"):
        song = Song(f"{split}/hum", split, "bench", "stems", "CC0", RATE, 2, len(time), **paths)
        manifest.write([song], folder / f"{split}.jsonl")
    return folder


@pytest.fixture
def trial(data_dir, monkeypatch):
    monkeypatch.setattr(measures, "COST_SECONDS", 2)
    return budget.Trial(
        "band_cnn",
        str(data_dir),
        cpu_minutes=2 / 60,
        set={**QUICK, "sample_rate": RATE},
        mixing={"augmentation": 0.0},
        segment=1.0,
        batch_size=2,
    )


def test_a_trial_learns_within_its_budget_and_says_how_well(trial):
    record = search.run(trial)
    assert "failed" not in record
    assert record["steps"] > 5
    assert record["train_cpu_s"] >= 2 > record["train_cpu_s"] * (1 - 1 / record["steps"]) / 1.5
    assert 0 < record["mixing_cpu_s"] < record["train_cpu_s"]
    assert record["separate_cpu_per_s"] > 0
    assert 100 < record["separate_peak_mb"] <= record["train_peak_mb"]
    # The mixture as estimate has 12 dB for the hum; an estimate of silence 0 dB.
    assert record["usdr_vocals"] == record["songs"]["valid/hum"]["vocals"] > 3
    assert record["usdr_karaoke"] > record["usdr_vocals"] - 20
    assert json.loads(json.dumps(record)) == record


def test_a_trial_is_the_same_for_the_same_seed(trial, monkeypatch):
    clock = iter(range(10_000))
    monkeypatch.setattr(budget.time, "process_time", lambda: 0.1 * next(clock))
    records = [search.run(trial) for _ in range(2)]
    assert records[0]["usdr_vocals"] == records[1]["usdr_vocals"]
    assert records[0]["train_loss"] == records[1]["train_loss"]
    other = search.run(replace(trial, seed=1))
    assert other["steps"] == records[0]["steps"]
    assert other["train_loss"] != records[0]["train_loss"]


def test_a_share_of_the_budget_may_go_to_voices_in_noise(trial, monkeypatch):
    clock = iter(range(10_000))
    monkeypatch.setattr(budget.time, "process_time", lambda: 0.1 * next(clock))
    record, without = (search.run(replace(trial, pretrain=share)) for share in (0.5, 0))
    assert record["steps"] == pytest.approx(without["steps"], abs=2)
    assert record["train_cpu_s"] == pytest.approx(without["train_cpu_s"], abs=0.3)
    assert record["usdr_vocals"] != without["usdr_vocals"]


@pytest.mark.parametrize(
    ("network", "broken_at"), [("band_cnn", 4), ("band_cnn", 11), ("openunmix", 11)]
)
def test_a_trial_that_is_broken_off_goes_on_as_if_it_had_not(
    trial, tmp_path, monkeypatch, network, broken_at
):
    """In either of two phases, and where dropout draws at random too."""
    trial = replace(trial, pretrain=0.4, cpu_minutes=2.9 / 60)
    if network == "openunmix":
        pytest.importorskip("openunmix")
        trial = replace(trial, network=network, set={"hidden_size": 16, "nb_layers": 2})
    monkeypatch.setattr(budget, "CHECKPOINT_EVERY", 0.3)

    class Kill(BaseException):
        pass

    def attempt(path=None, steps=100):
        clock, drawn = iter(range(10_000)), iter(range(steps))
        # Three looks at the clock a step, so 0.2 s a step.
        monkeypatch.setattr(budget.time, "process_time", lambda: 0.1 * next(clock))

        def drawing(dataset, indices):
            if next(drawn, None) is None:
                raise Kill
            return batch(dataset, indices)

        monkeypatch.setattr(budget, "batch", drawing)
        return search.run(trial, path)

    batch = budget.batch
    unbroken = attempt()
    path = tmp_path / "trial.ckpt"
    with pytest.raises(Kill):
        attempt(path, steps=broken_at)
    record = attempt(path, steps=unbroken["steps"] + 1 - (broken_at - 3))
    for name in ("steps", "train_loss", "usdr_vocals", "songs"):
        assert record[name] == unbroken[name]
    assert record["train_cpu_s"] == pytest.approx(unbroken["train_cpu_s"])
    with pytest.raises(ValueError, match="is of another trial: delete it, or"):
        search.run(replace(trial, lr=0.1), path)


def test_a_failure_after_the_first_phase_tells_of_both(trial, monkeypatch):
    """Of all steps, though each phase counts its own."""
    batch, drawn = budget.batch, []

    def fail_at_the_third_of_songs(dataset, indices):
        drawn.append(type(dataset))
        if drawn.count(RandomMixtures) > 3:  # the first is for networks that look at mixtures
            raise FloatingPointError("enough")
        return batch(dataset, indices)

    monkeypatch.setattr(budget, "batch", fail_at_the_third_of_songs)
    record = search.run(replace(trial, pretrain=0.5))
    assert record["failed"] == "FloatingPointError: enough"
    assert record["steps"] == len(drawn) - 2 > 3
    assert record["train_cpu_s"] > 30 * trial.cpu_minutes


def test_a_trial_that_fails_is_a_row_too(trial, tmp_path):
    record = search.run(replace(trial, loss={"time_weight": float("nan")}))
    assert record["failed"] == "FloatingPointError: the loss is nan at step 0"
    assert "usdr_vocals" not in record
    search.append(record, tmp_path / "new" / "results.jsonl")
    search.append(record, tmp_path / "new" / "results.jsonl")
    lines = (tmp_path / "new" / "results.jsonl").read_text().splitlines()
    assert len(lines) == 2
    assert "| failed |" in pareto.table(map(json.loads, lines))


def test_museval_scores_stand_beside(trial):
    record = search.run(replace(trial, cpu_minutes=1e-6, museval=True))
    assert record["steps"] == 1
    assert {"vocals_SDR", "accompaniment_SDR"} <= set(record["museval"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"network": "gru"}, "no network 'gru', expected one of band_cnn, legacy, unet, conv_tasn"),
        ({"set": {"colour": 3}}, "band_cnn: .*colour"),
        ({"cpu_minutes": 0}, "cpu_minutes is 0, expected more than 0"),
        ({"pretrain": 1.0}, "pretrain is 1.0, expected a share from 0 to below 1"),
        ({"precision": "64"}, "precision is '64', expected one of bf16-mixed, 32-true"),
    ],
)
def test_what_can_not_be_tried_is_refused(trial, change, message):
    with pytest.raises(ValueError, match=message):
        search.run(replace(trial, **change))


def test_the_command_line_takes_every_option(trial, tmp_path, monkeypatch, capsys):
    results = tmp_path / "results.jsonl"
    words = ["band_cnn", "--data_dir", trial.data_dir, "--cpu_minutes", "1e-6", "--lr", "0.01"]
    words += ["--set", *(f"{k}={v}" for k, v in trial.set.items()), "--loss", "n_ffts=[512]"]
    monkeypatch.setattr(search.resource, "setrlimit", lambda *args: None)
    words += ["--segment", "1", "--batch_size", "2", "--results", str(results), "--note", "quick"]
    monkeypatch.setattr(sys, "argv", ["search.py", *words])
    search.main()
    (record,) = map(json.loads, results.read_text().splitlines())
    assert json.loads(capsys.readouterr().out) == record
    assert (record["lr"], record["note"], record["loss"]) == (0.01, "quick", {"n_ffts": [512]})
    monkeypatch.setattr(sys, "argv", ["search.py", *words, "--mixing", "level"])
    with pytest.raises(SystemExit, match="got 'level', expected name=value"):
        search.main()


def test_the_learning_rate_is_that_of_one_cycle():
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    steps = 1000
    reference = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 1.0, total_steps=steps, pct_start=0.1, cycle_momentum=False
    )
    for step in range(steps - 1):
        expected = reference.get_last_lr()[0]
        assert budget.one_cycle(step / steps, 0.1) == pytest.approx(expected, abs=0.02)
        optimizer.step()
        reference.step()
    assert budget.one_cycle(1.2, 0.1) == 0


OTHERS = {
    "conv_tasnet": {"n_blocks": 2, "n_repeats": 1, "n_filters": 16, "hid_chan": 16, "bn_chan": 8},
    "openunmix": {"hidden_size": 16, "nb_layers": 1},
}


@pytest.mark.parametrize("name", OTHERS)
def test_networks_of_others_take_and_give_what_ours_do(name):
    if name == "openunmix":
        pytest.importorskip("openunmix")
    torch.manual_seed(0)
    model = networks.build(name, OTHERS[name])
    mixture = 0.1 * torch.randn(2, 2, 20000)
    networks.prepare(model, mixture)
    estimates = model(mixture)
    assert estimates.shape == (2, 2, 2, 20000)
    torch.testing.assert_close(estimates.sum(1), mixture, atol=1e-6, rtol=0)
    estimates[:, 0].square().mean().backward()
    assert any(p.grad is not None and p.grad.any() for p in model.parameters())


def test_openunmix_sees_bins_of_like_level():
    pytest.importorskip("openunmix")
    model = networks.build("openunmix", OTHERS["openunmix"])
    mixture = torch.nn.functional.avg_pool1d(torch.randn(4, 2, 80000), 5, 1)
    networks.prepare(model, mixture)
    seen = model.encoder(mixture).abs()[:, :, : model.max_bin].transpose(2, 3)
    seen = (seen + model.network.input_mean) * model.network.input_scale
    torch.testing.assert_close(seen.mean((0, 1, 2)), torch.zeros(model.max_bin), atol=1e-3, rtol=0)
    torch.testing.assert_close(seen.std((0, 1, 2)), torch.ones(model.max_bin), atol=1e-2, rtol=0)


def rows(*figures):
    """Trials with these costs and scores."""
    return [
        {
            "network": f"n{number}",
            "set": {},
            "loss": {},
            "mixing": {},
            "weights": 1e6,
            "cpu_minutes": 30,
            "note": "",
            "separate_cpu_per_s": cost,
            "usdr_vocals": score,
        }
        for number, (cost, score) in enumerate(figures)
    ]


def test_the_front_holds_what_nothing_beats_in_both():
    trials = rows((0.1, 5.0), (0.2, 4.0), (0.05, 1.0), (0.3, 6.0), (0.1, 4.5), (0.05, 1.0))
    assert [t["usdr_vocals"] for t in pareto.front(trials)] == [1.0, 5.0, 6.0]


def test_the_table_has_the_best_first_and_the_picture_is_drawn(tmp_path, monkeypatch, capsys):
    results = tmp_path / "results.jsonl"
    for row in rows((0.1, 5.0), (0.2, 6.0)):
        search.append(row, results)
    picture = tmp_path / "pareto.png"
    monkeypatch.setattr(sys, "argv", ["pareto.py", str(results), "--picture", str(picture)])
    pareto.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("| network | weights, M |")
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| n1", "| n0"]
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".part"] == []
    results.write_text("")
    with pytest.raises(SystemExit, match="no trial was scored"):
        pareto.main()
