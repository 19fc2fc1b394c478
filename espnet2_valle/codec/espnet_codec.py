"""Any codec trained with ESPnet's codec recipe, through `espnet2.bin.gan_codec_inference.AudioCoding`."""

from pathlib import Path

import numpy as np

from espnet2_valle.codec.abs_codec import AbsCodec
from espnet2_valle.codec.spec import CodecSpec
from espnet2_valle.common.errors import InputError

CONFIG = "config.yaml"
REMEDY = f"Give the .pth file of a trained ESPnet codec, with its {CONFIG} beside it"


class ESPnetCodec(AbsCodec):
    """SoundStream, EnCodec, DAC or FunCodec as trained by ESPnet.

    Args:
        model: the trained model file.
        train_config: its configuration; None for the config.yaml beside the model.

    Raises:
        InputError: files missing, unusable, or not belonging together.
    """

    def __init__(self, model: Path, train_config: str | None = None):
        import torch
        from espnet2.bin.gan_codec_inference import AudioCoding

        config = Path(train_config) if train_config else model.parent / CONFIG
        for path in (model, config):
            if not path.is_file():
                raise InputError(path, "no such file of an ESPnet codec", REMEDY)
        self.torch = torch
        try:
            saved = torch.load(model, map_location="cpu", weights_only=True)
            self.coding = AudioCoding(train_config=str(config), model_file=str(model))
        except Exception as error:  # torch and the task raise many kinds for a bad file
            raise InputError(model, f"not a codec that {config} describes ({error})", REMEDY) from error
        missing = set(self.coding.model.state_dict()) - set(saved)
        if missing:  # ESPnet itself would go on with random weights
            raise InputError(model, f"has no {sorted(missing)[0]}, which {config} asks for", REMEDY)
        about = self.coding.model.meta_info()
        probe = self.coding(torch.zeros(int(about["frame_shift"])), encode_only=True)["codes"]
        self.spec = CodecSpec(
            name="espnet",
            sample_rate=int(about["fs"]),
            frame_rate=float(about["fs"] / about["frame_shift"]),
            num_codebooks=len(probe),  # the bandwidth it was trained for may leave some unused
            codebook_size=int(max(about["code_size_per_stream"])),
        )

    def encode(self, wav: np.ndarray) -> np.ndarray:
        """Encode `wav` (S,) to codes (T, Q) int16, T = ceil(S / hop)."""
        wav = self.check_wav(wav)
        hop = round(self.hop_length)
        padded = np.pad(wav, (0, -len(wav) % hop))
        codes = self.coding(self.torch.from_numpy(padded), encode_only=True)["codes"]
        return codes[:, 0].T.numpy().astype(np.int16)[: self.num_frames(len(wav))]

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Decode `codes` (T, q), q <= Q, to (T * hop,) float32."""
        codes = self.check_codes(codes)
        if len(codes) == 0:
            return np.zeros(0, dtype=np.float32)
        streams = self.torch.from_numpy(codes.T.copy())[:, None]
        wav = self.coding.decode(streams)["resyn_audio"]
        return wav.reshape(-1).clamp(-1, 1).numpy()
