"""Write class_embeddings.safetensors: MiniLM's embeddings of the 1,000 ImageNet class names.

    python -m assets.make_class_embeddings

They follow from the installed wheels alone; shipping them saves every start some seconds.
"""

from __future__ import annotations

import torch
from safetensors.torch import save_file

from hbi_core.encoders.lite import CLASS_EMBEDDINGS, LiteEncoder, class_prompts


def embed_classes(encoder: LiteEncoder) -> torch.Tensor:
    """float32 [1000, 384], of unit length."""
    prompts = class_prompts()
    return torch.cat([encoder.embed_sentences(prompts[i : i + 100]) for i in range(0, 1000, 100)])


if __name__ == "__main__":
    if not CLASS_EMBEDDINGS.exists():
        save_file({"classes": torch.zeros(1000, 384)}, CLASS_EMBEDDINGS)  # to load the encoder
    save_file({"classes": embed_classes(LiteEncoder()).contiguous()}, CLASS_EMBEDDINGS)
    print(f"wrote {CLASS_EMBEDDINGS}")
