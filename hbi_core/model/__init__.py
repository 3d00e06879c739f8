"""Tokens -> token merge -> level similarity, three times."""

from hbi_core.model.build import build_hierarchy
from hbi_core.model.config import LEVEL_NAMES, ModelConfig
from hbi_core.model.hierarchy import Hierarchy, Level, LevelTokens, Players, Side
from hbi_core.model.reconstruction import Pairs, Reconstruction
from hbi_core.model.token_merge import TokenMerge, dpc_knn
from hbi_core.model.tokens import Tokens, pad

__all__ = [
    "LEVEL_NAMES",
    "Hierarchy",
    "Level",
    "LevelTokens",
    "ModelConfig",
    "Pairs",
    "Players",
    "Reconstruction",
    "Side",
    "TokenMerge",
    "Tokens",
    "build_hierarchy",
    "dpc_knn",
    "pad",
]
