"""LibriSpeech test-clean alone, to score models that were trained on something else."""

from espnet2_valle.corpus.named import librispeech


class Corpus(librispeech.Corpus):
    """See LibriSpeech; its default is the one part."""

    title = "LibriSpeech test-clean"
    default_parts = ("test-clean",)
    recipe_defaults = {"train_set": "", "valid_set": ""}
