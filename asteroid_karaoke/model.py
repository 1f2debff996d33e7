"""KaraokeNet: from a waveform to the waveforms of its voice and its accompaniment."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import torch
from asteroid.models import BaseModel
from torch import Tensor

from . import maskers
from .stft import ISTFT, STFT
from .weights import SUFFIX, read_safetensors

#: Weights that ship with the package, as ``<name>.pth``.
PRETRAINED = Path(__file__).parent / "pretrained"


class KaraokeNet(BaseModel):
    """A masker between a transform and its inverse; the accompaniment is what the voice leaves.

    The voice is `mask × spectrum of the mixture`, inverted. The accompaniment is the mixture minus
    the voice, in the time domain, so the two estimates add up to the input to float precision,
    whatever the network does.

    Args:
        masker: Name of the masker, see :mod:`asteroid_karaoke.maskers`.
        sample_rate: In Hz. None, here and below: what the masker asks for.
        channels: Audio channels that the network sees. A mono input is given to it on all of them,
            and a network of one channel separates each of an input's by itself: ideal ratio masks
            are worth 0.5 dB more that way than one mask of the mid. So ``in_channels``, by which
            Asteroid's tools refuse what does not fit, is None.
        n_fft: Window of the transform in samples.
        hop_length: Step of the transform in samples.
        **masker_args: Handed to the masker, such as ``size="small"``.

    Shape:
        - input: `(batch, channels, time)`; `channels` as above, or 1; any if that is 1
        - output: `(batch, 2, channels, time)`, vocals first, then accompaniment

        As Asteroid's own tools expect, `(time,)` comes back as `(2, time)`, and `(batch, time)` as
        well as `(batch, 1, time)` as `(batch, 2, time)`.

    Examples:
        >>> model = KaraokeNet(masker="band_cnn", size="tiny").eval()
        >>> vocals, accompaniment = model(torch.zeros(1, 2, 44100))[0]
        >>> vocals.shape
        torch.Size([2, 44100])
    """

    sources = ("vocals", "accompaniment")

    def __init__(
        self,
        masker: str = "band_cnn",
        sample_rate: float | None = None,
        channels: int | None = None,
        n_fft: int | None = None,
        hop_length: int | None = None,
        **masker_args: Any,
    ):
        masker_class: Any = maskers.get(masker)
        asked: dict[str, Any] = {
            "sample_rate": sample_rate,
            "channels": channels,
            "n_fft": n_fft,
            "hop_length": hop_length,
        }
        transform: dict[str, Any] = {
            name: masker_class.transform[name] if value is None else value
            for name, value in asked.items()
        }
        super().__init__(sample_rate=transform["sample_rate"], in_channels=None)
        self.channels: int = transform.pop("channels")
        self.masker_name = masker
        self.encoder = STFT(**transform)
        self.decoder = ISTFT(**transform)
        self.masker = masker_class(self.channels, self.encoder.n_bins, **masker_args)

    @property
    def grid(self) -> int:
        """Samples at whose multiples blocks of a song must start.

        Shifted by so much, a song gives a voice shifted by so much: the transform's hop times the
        masker's ``period``.
        """
        return self.encoder.hop_length * self.masker.period

    @property
    def context(self) -> int:
        """Samples on each side that one sample of the output depends on."""
        return self.masker.context * self.encoder.hop_length + self.encoder.n_fft

    def forward(self, wav: Tensor) -> Tensor:
        """Separate `wav`; see the class for shapes.

        Raises:
            ValueError: `wav` has a shape or a number of channels that the model can not take.
        """
        mixture = self._as_batch(wav)
        if not mixture.numel():  # transforms take no nothing
            vocals = mixture
        elif mixture.shape[1] == self.channels:
            vocals = self.forward_vocals(mixture)
        else:  # one of the two is 1: each channel by itself, on all inputs of the network
            alone = mixture.flatten(0, 1).unsqueeze(1).expand(-1, self.channels, -1)
            vocals = self.forward_vocals(alone).mean(1).view_as(mixture)
        estimates = torch.stack([vocals, mixture - vocals], dim=1)
        if mixture.shape[1] == 1:
            estimates = estimates.squeeze(2)
        return estimates.squeeze(0) if wav.ndim == 1 else estimates

    def forward_vocals(self, mixture: Tensor) -> Tensor:
        """The voice in `mixture`, both `(batch, channels, time)`."""
        spectrum = self.encoder(mixture)
        mask = self.masker(spectrum)
        return self.decoder(mask * spectrum, length=mixture.shape[-1])

    def forward_wav(self, wav: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Separate in eval mode, whatever the mode is: Asteroid's tools never call ``eval()``."""
        was_training = self.training
        self.eval()
        try:
            return self(wav, *args, **kwargs)
        finally:
            self.train(was_training)

    def _as_batch(self, wav: Tensor) -> Tensor:
        if wav.ndim in (1, 2):
            return torch.atleast_2d(wav).unsqueeze(1)
        if wav.ndim == 3 and (1 in (wav.shape[1], self.channels) or wav.shape[1] == self.channels):
            return wav
        raise ValueError(
            f"the input's shape is {tuple(wav.shape)}, expected (time,), (batch, time) or "
            f"(batch, channels, time) with 1 or {self.channels} channels"
        )

    def get_model_args(self) -> dict:
        """All that it takes to build the model again, flat and plain."""
        return {
            "masker": self.masker_name,
            "channels": self.channels,
            **self.encoder.get_config(),
            **self.masker.get_config(),
        }

    def serialize(self) -> dict:
        """The model as Asteroid saves it, but of plain types alone.

        Asteroid stores torch's version as an object that ``torch.load`` refuses to read under
        ``weights_only=True``, its default since torch 2.6, so Asteroid could not load what it
        saved.
        """
        conf = super().serialize()
        versions = conf["infos"]["software_versions"]
        conf["infos"]["software_versions"] = {k: str(v) for k, v in versions.items()}
        return conf

    @classmethod
    def from_pretrained(
        cls, pretrained_model_conf_or_path: str | os.PathLike | dict, **kwargs: Any
    ) -> "KaraokeNet":
        """Load a model, ready to separate (in eval mode).

        Args:
            pretrained_model_conf_or_path: A name of weights that ship with the package, a path (of
                what torch saved, or of a ``.safetensors`` with its JSON beside), the id of a model
                on the Hugging Face Hub (``user/name``), or a dict as :meth:`serialize` gives it.
            **kwargs: Handed to the model in place of what the file says.

        Raises:
            FileNotFoundError: It is neither a shipped name, nor a file, nor the form of a Hub id.
            ValueError: The file holds no model of this kind, or is not what was shipped.
        """
        conf = pretrained_model_conf_or_path
        if not isinstance(conf, dict):
            conf = read_model(os.fspath(conf))
        conf = {**conf, "model_args": dict(conf.get("model_args", {}))}
        # Asteroid looks the class up by its name, so this builds what the file says it is.
        model = super().from_pretrained(conf, **kwargs)
        return model.eval()


def shipped() -> dict[str, Path]:
    """Names of the weights that ship with the package, and where they are."""
    return {path.stem: path for path in sorted(PRETRAINED.glob("*.pth"))}


def read_model(name: str) -> dict:
    """A model as :meth:`KaraokeNet.serialize` gave it; takes what `from_pretrained` takes.

    Returns:
        The dict. ``licenses``, in Asteroid's form, say what a recipe trained it on, if one did.
    """
    path = shipped().get(name, Path(name))
    card = _check_sum(path) if name in shipped() else {}
    if path.is_file() and path.suffix == SUFFIX:
        conf = read_safetensors(path)
    elif path.is_file():
        try:
            conf = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises whatever its unpickler stumbles over
            raise ValueError(f"{path} holds no model that can be loaded safely: {error}") from error
    elif _is_hub_id(name):
        from asteroid.utils.hub_utils import cached_download

        conf = torch.load(cached_download(name), map_location="cpu", weights_only=True)
    else:
        known = ", ".join(shipped()) or "none ship with this version"
        raise FileNotFoundError(
            f"no model {name!r}: it is neither a file nor one of the shipped weights ({known})"
        )
    if not isinstance(conf, dict) or not {"model_name", "model_args", "state_dict"} <= set(conf):
        raise ValueError(f"{name} is no model: expected what KaraokeNet.serialize() gives")
    return {**conf, "licenses": card.get("trained_on")} if card else conf


def _check_sum(path: Path) -> dict:
    """The card of shipped weights, with whose sum they are compared: broken ones sing nonsense."""
    card = path.with_suffix(".json")
    if not card.is_file():
        raise ValueError(f"{path} has no card {card.name} beside it: install the package anew")
    told = json.loads(card.read_text(encoding="utf-8"))
    found, expected = hashlib.sha256(path.read_bytes()).hexdigest(), told["sha256"]
    if found != expected:
        raise ValueError(
            f"{path} has the sha256 {found[:12]}..., its card says {expected[:12]}...: install the "
            "package anew"
        )
    return told


def _is_hub_id(name: str) -> bool:
    """Whether `name` has the form ``user/model`` or is an address, and no path."""
    if name.startswith(("http://", "https://")):
        return True
    user, slash, model = name.partition("/")
    plain = bool(user and slash and model) and "/" not in model and not Path(user).exists()
    files = (".pth", ".ckpt", SUFFIX)
    return plain and user not in (".", "..", "~") and Path(model).suffix not in files
