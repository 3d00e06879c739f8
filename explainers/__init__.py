"""Cooperative-game mathematics on tensors: no model, no file, no page.

A matrix of video-text similarities becomes a game (`SimilarityGame`), or one of what pairs of
tokens say for an answer (`BilinearGame`); the game's Banzhaf interactions are computed
(`closed_form`, `enumerate_coalitions`), and they become a graph (`coalition_graph`).
"""

from explainers.closed_forms import closed_form
from explainers.coalition_graph import coalition_graph, player_id, ranks
from explainers.comparison import Comparison, compare
from explainers.enumeration import TooManyCoalitionsError, enumerate_coalitions, enumeration_seconds
from explainers.estimator import Estimator, estimate
from explainers.explained_variance import ExplainedVariance, explained_variance
from explainers.game import BilinearGame, SimilarityGame
from explainers.indices import INDICES
from explainers.interactions import Interactions
from explainers.multilinear import coalition_interaction, multilinear_extension
from explainers.sampling import sample_coalitions
from explainers.shapley import shapley_values
from explainers.token_game import WEIGHTINGS, TokenGame

__all__ = [
    "INDICES",
    "WEIGHTINGS",
    "BilinearGame",
    "Comparison",
    "Estimator",
    "ExplainedVariance",
    "Interactions",
    "SimilarityGame",
    "TokenGame",
    "TooManyCoalitionsError",
    "closed_form",
    "coalition_graph",
    "coalition_interaction",
    "compare",
    "enumerate_coalitions",
    "enumeration_seconds",
    "estimate",
    "explained_variance",
    "multilinear_extension",
    "player_id",
    "ranks",
    "sample_coalitions",
    "shapley_values",
]
