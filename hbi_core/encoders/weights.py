"""What tells two encoders of one name apart."""

from __future__ import annotations

import hashlib
import json
from itertools import chain

import torch

from hbi_core.encoders.base import Encoder


def weights_digest(encoder: Encoder) -> str:
    """A hash of all parameters and buffers: names, types, shapes and values, wherever they lie.

    Of what the encoder computes with, and not of a file that may have been written anew since.
    """
    digest = hashlib.sha256()
    for name, tensor in chain(encoder.named_parameters(), encoder.named_buffers()):
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        own = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(own.view(torch.uint8).numpy().data)
    return digest.hexdigest()
