"""Full attention: every position of a sequence reads every other, past and future.

T, S, D are those of the dimension key in `pasdedeux/__init__.py`; V is the width of the values.
"""

import math
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor


class Attended(NamedTuple):
    """What each position read, and how its reading was shared out; weights sum to 1 over S."""

    context: Float[Tensor, "*B T V"]
    weights: Float[Tensor, "*B T S"]


def attention(
    queries: Float[Tensor, "*B T D"],
    keys: Float[Tensor, "*B S D"],
    values: Float[Tensor, "*B S V"],
) -> Attended:
    """Return Eq. 2 of the dual-learning paper: softmax(<queries, keys> / sqrt(D)) values.

    The paper's queries, keys and values are SW_q, SW_k and SW_v of one sequence S; with keys and
    values of another sequence it is the attention of a decoder to its memory. Nothing is masked.
    """
    scores = queries @ keys.mT / math.sqrt(queries.shape[-1])
    weights = scores.softmax(-1)
    return Attended(weights @ values, weights)
