"""The model that ESPnet's trainer sees."""

from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from espnet2.torch_utils.device_funcs import force_gatherable
from espnet2.train.abs_espnet_model import AbsESPnetModel
from torch.nn import functional as F
from typeguard import typechecked

from espnet2_valle.valle.abs_valle import AbsVALLE
from espnet2_valle.valle.languages import BatchLanguages
from espnet2_valle.valle.rows import on_device

TOP_K = 10


class ESPnetVALLEModel(AbsESPnetModel):
    """Cross-entropy training of a VALL-E model.

    Args:
        valle: the AR or the NAR model.
        bf16: whether a training multiplies in bfloat16 where autocast deems it safe: True, False, or "auto",
            which the task decides by the device. Weights and optimiser stay in float32.
        activation_checkpointing: less memory for more work in training; see `Transformer`.
        packed: no padding in training; for GPUs; see `Transformer`.
        alignment_weight: of the alignment loss of a model that has one, in the loss that is trained; the loss
            that is reported is the cross-entropy.

    Attributes:
        compute_dtype: of the products of forward and backward passes; float32 for "auto" until the task says.

    Raises:
        ValueError: another value of `bf16`, or a weight for an alignment loss that the model does not have.
    """

    @typechecked
    def __init__(
        self,
        valle: AbsVALLE,
        bf16: bool | str = False,
        activation_checkpointing: bool = False,
        packed: bool = False,
        alignment_weight: float = 0.0,
    ):
        super().__init__()
        if isinstance(bf16, str) and bf16 != "auto":
            raise ValueError(f"bf16 must be True, False or 'auto', not {bf16!r}")
        if alignment_weight and not getattr(valle, "alignment_layer", 0):
            raise ValueError("alignment_weight needs alignment_layer in the valle_conf of an AR model")
        self.valle = valle
        self.alignment_weight = alignment_weight
        self.valle.transformer.packed = packed
        self.valle.transformer.activation_checkpointing = activation_checkpointing
        self.compute_dtype = torch.bfloat16 if bf16 is True else torch.float32
        self.neighbourhoods: torch.Tensor | None
        self.register_buffer("neighbourhoods", None, persistent=False)

    @property
    def compiled_part(self) -> torch.nn.Module:
        """Part of it that `--compile` compiles."""
        return self.valle.transformer

    def smooth_targets(self, neighbourhoods: torch.Tensor) -> None:
        """Let each target share with codes that sound alike, in training.

        A label smoothing (Szegedy et al., 2016) that knows which codes are nearly right: of a thousand codes
        which one a frame has is chance to a good part, and a small model would learn it by heart.

        Args:
            neighbourhoods: (Q, classes, classes), as `embeddings.neighbourhoods` makes it.
        """
        self.neighbourhoods = neighbourhoods

    def forward(
        self,
        text: torch.Tensor,
        text_lengths: torch.Tensor | np.ndarray,
        codes: torch.Tensor,
        codes_lengths: torch.Tensor | np.ndarray,
        text_languages: torch.Tensor | None = None,
        codes_languages: torch.Tensor | None = None,
        text_styles: torch.Tensor | None = None,
        parts: torch.Tensor | None = None,
        **kwargs: object,
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor], torch.Tensor]:
        """Loss of a batch.

        Args:
            text: (batch, text_time) token ids; text_lengths: (batch,)
            codes: (batch, time, Q) codes; codes_lengths: (batch,). Lengths on a GPU are waited for; arrays
                stay on the CPU where what shards or copies models moves tensors.
            text_languages: (batch, text_time) number of the language of each token; codes_languages: (batch,
                time) of each frame. Only for models with language IDs.
            text_styles: (batch, text_time, 1 + conditions) of each token, see `StyleConditions.weights`. Only
                for models that are told styles.
            parts: (batch, 2), see `AbsVALLE.forward`.

        Returns:
            loss (mean over predicted codes), stats (loss, acc, acc10; of a model with an aligner also its
            loss, and in validation how much more the codes cost with the text read backwards: about nothing
            of a model that does not read), and the number of predicted codes as weight.
        """
        text_lengths, codes_lengths = (torch.as_tensor(one).cpu() for one in (text_lengths, codes_lengths))
        text, codes = text[:, : int(text_lengths.max())], codes[:, : int(codes_lengths.max())].long()
        languages = None
        if text_languages is not None and codes_languages is not None:
            languages = BatchLanguages(
                text_languages[:, : text.shape[1]], codes_languages[:, : codes.shape[1]]
            )
        styles = None
        if text_styles is not None:
            styles = self.valle.styles.weights(text_styles[:, : text.shape[1]])
        with self._products(codes.device):
            predicted = self.valle(text, text_lengths, codes, codes_lengths, languages, styles, parts)
        logits, targets = predicted.logits, predicted.targets
        shares = targets
        if self.training and self.neighbourhoods is not None:
            shares = self.neighbourhoods[predicted.codebooks, targets]
        loss = F.cross_entropy(logits.float(), shares)
        with torch.no_grad():
            hits = logits.topk(min(TOP_K, logits.shape[1])).indices == targets.unsqueeze(1)
            stats = {
                "loss": loss.detach(),
                "acc": hits[:, 0].float().mean(),
                "acc10": hits.any(1).float().mean(),
            }
        if predicted.alignment is not None:
            stats["alignment"] = predicted.alignment.detach()
            if not self.training:
                given = text, text_lengths, codes, codes_lengths, languages, styles, parts
                stats["text_gain"] = self._loss_backwards(*given) - loss.detach()
            loss = loss + self.alignment_weight * predicted.alignment
        weight = on_device(torch.tensor([targets.numel()]), loss.device)
        return force_gatherable((loss, stats, weight), loss.device)

    @torch.no_grad()
    def _loss_backwards(
        self,
        text: torch.Tensor,
        text_lengths: torch.Tensor,
        codes: torch.Tensor,
        codes_lengths: torch.Tensor,
        languages: BatchLanguages | None,
        styles: torch.Tensor | None,
        parts: torch.Tensor | None,
    ) -> torch.Tensor:
        """Loss of the batch with the tokens of each text in reverse."""
        last = on_device(text_lengths, text.device).unsqueeze(1) - 1
        place = (last - torch.arange(text.shape[1], device=text.device)).clamp(min=0)
        if languages is not None:
            languages = languages._replace(text=languages.text.gather(1, place))
        if styles is not None:
            styles = styles.gather(1, place.unsqueeze(2).expand_as(styles))
        with self._products(codes.device):
            backwards = text.gather(1, place)
            predicted = self.valle(backwards, text_lengths, codes, codes_lengths, languages, styles, parts)
        return F.cross_entropy(predicted.logits.float(), predicted.targets)

    def _products(self, device: torch.device) -> AbstractContextManager:
        """Within, products are of the type that the training has."""
        if self.compute_dtype == torch.float32:
            return nullcontext()
        return torch.autocast(device.type, self.compute_dtype)

    def collect_feats(
        self,
        text: torch.Tensor,
        text_lengths: torch.Tensor,
        codes: torch.Tensor,
        codes_lengths: torch.Tensor,
        **kwargs: object,
    ) -> dict[str, torch.Tensor]:
        """The codes are features already; nothing to extract."""
        return {"codes": codes, "codes_lengths": codes_lengths}
