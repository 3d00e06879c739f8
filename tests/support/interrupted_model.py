"""A model whose making is interrupted, as by Ctrl+C, while a thread is within torch."""

from __future__ import annotations

import threading

import torch


def interrupted():
    threading.Thread(target=_multiply, daemon=True).start()
    raise KeyboardInterrupt


def _multiply():
    matrix = torch.eye(300)
    while True:
        matrix = matrix @ matrix
