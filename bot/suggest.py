"""What somebody may have meant by a word that we do not know. Pure."""

import difflib
from collections.abc import Iterable


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """Return which of `known` is most like `word`, or "" if none is; the same letters in another order come first."""
    near = difflib.get_close_matches(word, sorted(known), n=3, cutoff=cutoff)
    return next((name for name in near if sorted(name) == sorted(word)), next(iter(near), ""))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean X?`, or `; there are: …`, or nothing where nothing is known."""
    names = sorted(known)
    near = nearest(word, names)
    if near:
        return f"; did you mean {near}?"
    return f"; there are: {', '.join(names)}" if names else ""
