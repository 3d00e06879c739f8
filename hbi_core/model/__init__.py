"""Tokens -> token merge -> level similarity, three times."""

from hbi_core.model.config import LEVEL_NAMES, ModelConfig
from hbi_core.model.hierarchy import Hierarchy, Level, LevelTokens, Players, build_hierarchy
from hbi_core.model.token_merge import TokenMerge, dpc_knn
from hbi_core.model.tokens import Tokens, pad

__all__ = [
    "LEVEL_NAMES",
    "Hierarchy",
    "Level",
    "LevelTokens",
    "ModelConfig",
    "Players",
    "TokenMerge",
    "Tokens",
    "build_hierarchy",
    "dpc_knn",
    "pad",
]
