"""The states of a text in any model of open_clip, and what its pooling makes of each.

open_clip has two kinds of text towers: its own transformer, which projects the state of one token
into the joint space, and networks from the Hugging Face hub, which project the mean of all states
or the state of the first. A token is put into the joint space as if the model had pooled it alone:
so the token whose state the model reads has the model's own embedding of the text.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

# Which token a model reads as the sentence, in open_clip's words -> its name in a figure. Where the
# model takes the mean of all tokens ("mean"), there is none.
SENTENCE = {
    "argmax": "[EOS]",  # the end token, which has the highest id of CLIP's
    "eos": "[EOS]",
    "first": "[CLS]",
    "class": "[CLS]",  # CoCa's, which is no token of the tokenizer
    "last": "[LAST]",  # the last position, behind all padding
}


def text_tower(model: Any) -> Any:
    """What holds the parts of the text encoder; some models keep them on the top."""
    return getattr(model, "text", model)


def pooling(model: Any) -> str:
    """How a model reads a sentence off its tokens: a key of SENTENCE, or "mean"."""
    tower = text_tower(model)
    if _is_of_hub(tower):
        return "first" if type(tower.pooler).__name__.startswith("Cls") else "mean"
    if getattr(tower, "cls_emb", None) is not None:
        return "class"
    kind = tower.text_pool_type if tower is model else tower.pool_type
    return kind if kind in SENTENCE else "mean"


def sentence_positions(model: Any, ids: Tensor) -> list[int | None]:
    """Token ids [B, L] -> for each text, which of its states the model reads."""
    kind, tower, length = pooling(model), text_tower(model), ids.shape[1]
    if kind == "argmax":
        return ids.argmax(-1).tolist()
    if kind == "eos":
        end = tower.text_eos_id if tower is model else tower.eos_id
        return (ids == end).int().argmax(-1).tolist()
    place = {"first": 0, "last": length - 1, "class": length}.get(kind)
    return [place] * len(ids)


def joint_width(model: Any) -> int:
    """Features of the joint space."""
    tower = text_tower(model)
    if _is_of_hub(tower):
        return int(tower.output_dim)
    last = tower.text_projection
    if last is None:
        return int(tower.positional_embedding.shape[-1])
    return int(last.out_features if isinstance(last, nn.Linear) else last.shape[-1])


def token_states(model: Any, ids: Tensor) -> Tensor:
    """Token ids [B, L] -> last states [B, L, W]; CoCa's class token comes behind, [B, L + 1, W]."""
    tower = text_tower(model)
    if _is_of_hub(tower):
        real = (ids != tower.config.pad_token_id).long()
        return tower.transformer(input_ids=ids, attention_mask=real).last_hidden_state
    output = model.forward_intermediates(
        text=ids, text_indices=1, intermediates_only=True, text_output_extra_tokens=True
    )
    behind = output.get("text_intermediates_suffix", [])
    states = torch.cat([*output["text_intermediates"][-1:], *behind[-1:]], 1)
    return tower.ln_final(states)


def in_joint_space(model: Any, states: Tensor) -> Tensor:
    """States [N, W] -> [N, D]: each as if the model pooled it alone."""
    tower = text_tower(model)
    if _is_of_hub(tower):
        own = getattr(tower.transformer, "pooler", None)
        if own is not None:  # BERT's, a layer over the state of its first token
            states = own(states.unsqueeze(1))
        return tower.proj(states)
    last = tower.text_projection
    if last is None:
        return states
    return last(states) if isinstance(last, nn.Module) else states @ last


def _is_of_hub(tower: Any) -> bool:
    return hasattr(tower, "pooler")
