"""What the coalitions of an explanation are worth, and what figures and sentences call it."""

from __future__ import annotations

from dataclasses import dataclass

from explainers import BilinearGame, SimilarityGame, TokenGame
from hbi_core.json_reading import Json

FUNCTION = "function"  # a game of no tokens: any function of coalitions, which only its model has
GAMES: dict[str, type[TokenGame]] = {"similarity": SimilarityGame, "bilinear": BilinearGame}
_OF_PAIRS = {
    "similarity": ("cosine similarity", "cosine similarities"),
    "bilinear": ("value of the pair alone", "values of the pairs alone"),
    FUNCTION: ("value of the pair alone", "values of the pairs alone"),
}


@dataclass(frozen=True)
class Worth:
    """What a coalition of all players of a level is worth.

    Attributes:
        game: which one the levels play, a name of GAMES: "similarity", or "bilinear" of an answer;
            or "function", of a caption that was generated, say.
        symbol: before the number, "S".
        name: in sentences, "similarity".

    Example:
        >>> Worth()
        Worth(game='similarity', symbol='S', name='similarity')
        >>> Worth("bilinear", "logit", "logit of the answer “dog”").title
        'Logit of the answer “dog”'
    """

    game: str = "similarity"
    symbol: str = "S"
    name: str = "similarity"

    @property
    def title(self) -> str:
        """The name, and a symbol that is one letter, for a line of its own.

        Example:
            >>> Worth().title
            'Similarity S'
        """
        name = f"{self.name[:1].upper()}{self.name[1:]}"
        return f"{name} {self.symbol}" if len(self.symbol) == 1 else name

    @property
    def pair(self) -> str:
        """What `Level.similarity` has of a pair of tokens.

        Example:
            >>> Worth().pair
            'cosine similarity'
        """
        return _OF_PAIRS[self.game][0]

    @property
    def pairs(self) -> str:
        """Of several pairs.

        Example:
            >>> Worth().pairs
            'cosine similarities'
        """
        return _OF_PAIRS[self.game][1]

    @property
    def text(self) -> str:
        """What the text is, to which the words belong.

        Example:
            >>> Worth().text
            'caption'
        """
        return "question" if self.game == "bilinear" else "caption"

    def to_dict(self) -> dict[str, str]:
        """The contents of "worth" in explanation.json.

        Example:
            >>> Worth().to_dict()["symbol"]
            'S'
        """
        return {"game": self.game, "symbol": self.symbol, "name": self.name}

    @classmethod
    def from_json(cls, json: Json | None) -> Worth:
        """What `to_dict` wrote; without it, the similarity.

        Raises:
            JsonError: there is no such game, or something is missing.

        Example:
            >>> Worth.from_json(None) == Worth()
            True
        """
        if json is None:
            return cls()
        return cls(
            json["game"].one_of([*GAMES, FUNCTION]), json["symbol"].label(), json["name"].label()
        )


SIMILARITY = Worth()
