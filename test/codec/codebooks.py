"""Codebooks for networks of random weights: without them every sound has the same codes."""

import torch


def spread_codebooks(model, embed):
    """Fill the codebooks of `model`, the first like what `embed` makes of noise, the others with its spread.

    `embed` maps sound (1, 1, S) to embeddings (N, D) in the space of the codebooks.
    """
    with torch.no_grad():
        embeddings = embed(0.1 * torch.randn(1, 1, 8000))
        books = [buffer for name, buffer in model.named_buffers() if name.endswith("embed")]
        for level, book in enumerate(books):
            book.copy_(embeddings.std(dim=0) * torch.randn(book.shape))
            if level == 0:
                book.add_(embeddings.mean(dim=0))
