"""Any codec trained with ESPnet's codec recipe, through `espnet2.bin.gan_codec_inference.AudioCoding`."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from espnet2_valle.codec.abs_codec import AbsCodec, CodecSource
from espnet2_valle.codec.latent import LatentCodewords
from espnet2_valle.codec.spec import CodecSpec
from espnet2_valle.common.errors import InputError

CONFIG = "config.yaml"
REMEDY = f"Give the .pth file of a trained ESPnet codec, with its {CONFIG} beside it"


class ESPnetCodec(AbsCodec):
    """SoundStream, EnCodec, DAC or FunCodec as trained by ESPnet.

    Args:
        model: the trained model file.
        train_config: its configuration: what that file held, its path, or None for the config.yaml beside
            the model.

    Raises:
        InputError: files missing, unusable, or not belonging together.
    """

    on_gpu = True

    def __init__(self, model: Path, train_config: Mapping[str, Any] | str | None = None):
        import torch

        self.torch = torch
        if not isinstance(train_config, Mapping):
            train_config = read_train_config(model, train_config)
        self.coding = open_coding(model, train_config)
        self._latent_codewords: LatentCodewords | None = None
        about = self.coding.model.meta_info()
        probe = self.coding(torch.zeros(int(about["frame_shift"])), encode_only=True)["codes"]
        self.spec = CodecSpec(
            name="espnet",
            sample_rate=int(about["fs"]),
            frame_rate=float(about["fs"] / about["frame_shift"]),
            num_codebooks=len(probe),  # the bandwidth it was trained for may leave some unused
            codebook_size=int(max(about["code_size_per_stream"])),
        )

    @classmethod
    def load(cls, model: Path, train_config: Mapping[str, Any] | str | None = None) -> "ESPnetCodec":
        """See AbsCodec."""
        return cls(model, train_config)

    @classmethod
    def prepare(cls, given: CodecSource) -> tuple[str | None, dict[str, Any]]:
        """See AbsCodec: the training configuration becomes an option, so that the model can be moved.

        Raises:
            InputError: see `read_train_config`.
        """
        model, options = super().prepare(given)
        if model is not None:
            options["train_config"] = read_train_config(Path(model), options.get("train_config"))
        return model, options

    def to(self, device: str) -> "ESPnetCodec":
        """See AbsCodec."""
        if device.startswith("cuda") and not self.torch.cuda.is_available():
            raise InputError("--device", f"{device}: torch finds no GPU here", "Leave it out")
        self.coding.model.to(device)
        self.coding.device = device
        return self

    def encode(self, wav: np.ndarray) -> np.ndarray:
        """Encode `wav` (S,) to codes (T, Q) int16, T = ceil(S / hop)."""
        wav = self.check_wav(wav)
        hop = round(self.hop_length)
        padded = np.pad(wav, (0, -len(wav) % hop))
        codes = self.coding(self.torch.from_numpy(padded), encode_only=True)["codes"]
        return codes[:, 0].T.cpu().numpy().astype(np.int16)[: self.num_frames(len(wav))]

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Decode `codes` (T, q), q <= Q, to (T * hop,) float32."""
        codes = self.check_codes(codes)
        if len(codes) == 0:
            return np.zeros(0, dtype=np.float32)
        streams = self.torch.from_numpy(codes.T.copy())[:, None].to(self.coding.device)
        wav = self.coding.decode(streams)["resyn_audio"]
        return wav.reshape(-1).clamp(-1, 1).cpu().numpy()

    def latent(self, codes: np.ndarray) -> np.ndarray:
        """See `AbsCodec.latent`: the sum of the codewords."""
        return self.latent_codewords().sum(self.check_codes(codes))

    def decode_latent(self, latent: np.ndarray) -> np.ndarray:
        """See `AbsCodec.decode_latent`."""
        latent = self.check_latent(latent, self.latent_codewords().codewords.shape[2])
        if not len(latent):
            return np.zeros(0, dtype=np.float32)
        generator = self.coding.model.codec.generator
        with self.torch.inference_mode():
            columns = np.ascontiguousarray(latent.T[None])
            wav = generator.decoder(self.torch.from_numpy(columns).to(self.coding.device))
            if hasattr(generator, "freq_to_time_transfer"):  # FunCodec decodes to spectra
                wav = generator.freq_to_time_transfer(wav)
        return wav.reshape(-1).clamp(-1, 1).cpu().numpy()

    def latent_codewords(self) -> LatentCodewords:
        """See `AbsCodec.latent_codewords`."""
        if self._latent_codewords is None:
            every = self.torch.arange(self.codebook_size, device=self.coding.device)[None]
            layers = self.coding.model.codec.generator.quantizer.vq.layers[: self.num_codebooks]
            with self.torch.inference_mode():
                books = [layer.decode(every)[0].T.cpu().numpy() for layer in layers]
            self._latent_codewords = LatentCodewords.unweighted(books)
        return self._latent_codewords


def read_train_config(model: Path, path: str | None = None) -> dict[str, Any]:
    """Read the training configuration of `model`, by default the config.yaml beside it.

    Raises:
        InputError: missing, or no codec's configuration.
    """
    config = Path(path) if path else model.parent / CONFIG
    for needed in (model, config):
        if not needed.is_file():
            raise InputError(needed, "no such file of an ESPnet codec", REMEDY)
    try:
        content = yaml.safe_load(config.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(config, f"not YAML ({error})", REMEDY) from error
    if not isinstance(content, dict) or "codec" not in content:
        raise InputError(config, "not the configuration of a codec", REMEDY)
    return content


def open_coding(model: Path, train_config: Mapping[str, Any]) -> Any:
    """ESPnet's AudioCoding of a model file and what its configuration held.

    Raises:
        InputError: a model that is no such codec, or lacks some of its weights.
    """
    import torch
    from espnet2.bin.gan_codec_inference import AudioCoding

    if not model.is_file():
        raise InputError(model, "no such file of an ESPnet codec", REMEDY)
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / CONFIG
        config.write_text(yaml.safe_dump(dict(train_config)), encoding="utf-8")
        try:
            saved = torch.load(model, map_location="cpu", weights_only=True)
            weights = Path(folder) / "weights.pth"  # ESPnet runs what a pickle says: it gets one of ours
            torch.save(saved, weights)
            coding = AudioCoding(train_config=str(config), model_file=str(weights))
        except Exception as error:  # torch and the task raise many kinds for a bad file
            raise InputError(model, f"not a codec as its {CONFIG} says ({error})", REMEDY) from error
    missing = set(coding.model.state_dict()) - set(saved)
    if missing:  # ESPnet itself would go on with random weights
        raise InputError(model, f"has no {sorted(missing)[0]}, which its {CONFIG} asks for", REMEDY)
    return coding
