"""Rollouts with prefix states reused in one batch, against the loops of public SeqGAN code.

Both spend the same random numbers and must give the same rewards (checked before timing); then
they take turns, and the median of the pairwise ratios is printed. Run: python benchmarks/rollout.py
"""

import argparse
import statistics
import time

import torch

from pasdedeux.base.seeding import generator
from pasdedeux.nn.recurrent import Recurrent
from pasdedeux.nn.textcnn import TextCNN
from pasdedeux.training import policy

VOCABULARY, BATCH, LENGTH = 66, 64, 36


def naive(player: Recurrent, tokens: torch.Tensor, uniform: torch.Tensor, stride: int):
    """Re-run every rollout of every prefix from the first token, one batch of 64 at a time."""
    out = torch.empty(*uniform.shape, dtype=torch.long)
    for m, prefix in enumerate(policy.prefix_lengths(LENGTH, stride)):
        for n in range(uniform.shape[1]):
            state, table = player.start(BATCH), player.gates()
            heard = torch.full((BATCH,), player.vocabulary)
            for t in range(LENGTH):
                state = player.advance(table, state, heard)
                known = t < prefix
                heard = tokens[:, t] if known else player.draw(state, uniform[m, n, :, t])
                out[m, n, :, t] = heard
    return policy.Rollouts(out, policy.prefix_lengths(LENGTH, stride))


def timed(call) -> tuple[float, object]:
    """Return seconds and result of one call."""
    begun = time.perf_counter()
    result = call()
    return time.perf_counter() - begun, result


@torch.no_grad()
def compare(name: str, ours, theirs, repeats: int) -> None:
    """Print the median ratio theirs / ours over interleaved repeats, and both medians."""
    pairs = [(timed(ours)[0], timed(theirs)[0]) for _ in range(repeats)]
    ratio = statistics.median(slow / fast for fast, slow in pairs)
    mine, other = (statistics.median(column) * 1e3 for column in zip(*pairs, strict=True))
    print(f"{name}: {ratio:.1f}x ({mine:.1f} ms against {other:.1f} ms, {repeats} pairs)")


def main() -> None:
    """Time rollouts, the critic's scores and a whole reward, each against its plain form."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rollouts", type=int, default=4)
    options.add_argument("--stride", type=int, default=4)
    options.add_argument("--repeats", type=int, default=7)
    options.add_argument("--threads", type=int, default=1)
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    player = Recurrent(VOCABULARY).initialise(generator(0, "player"))
    critic = TextCNN(
        VOCABULARY, widths=(2, 3, 4, 5, 8, 12), filters=(32,) * 6, embedding=64
    ).initialise(generator(0, "critic"))
    tokens = player.sample(torch.rand(BATCH, LENGTH, generator=generator(0, "tokens")))
    starts = len(policy.prefix_lengths(LENGTH, chosen.stride))
    shape = (starts, chosen.rollouts, BATCH, LENGTH)
    uniform = torch.rand(shape, generator=generator(0, "uniform"))

    def fast_rollouts():
        return policy.rollouts(player, tokens, uniform, stride=chosen.stride)

    def slow_rollouts():
        return naive(player, tokens, uniform, chosen.stride)

    with torch.no_grad():
        ours, theirs = fast_rollouts(), slow_rollouts()
        everything = ours.completed.reshape(-1, LENGTH)
        assert torch.equal(ours.completed, theirs.completed), "rollouts differ"
        apart = (critic.score(everything) - critic(everything)).abs().max()
        assert apart < 1e-4, f"scores differ by {apart}"
        print(f"{chosen.rollouts} rollouts of {starts} prefixes of {BATCH} x {LENGTH} tokens;")
        print(f"equal rollouts, scores within {apart:.1e}, {chosen.threads} thread(s)")
        compare("rollouts", fast_rollouts, slow_rollouts, chosen.repeats)
        compare(
            "critic scores", lambda: critic.score(everything), lambda: critic(everything),
            chosen.repeats,
        )  # fmt: skip
        compare(
            "reward of one critic",
            lambda: policy.rewards(critic.score, tokens, fast_rollouts()),
            lambda: policy.rewards(critic, tokens, slow_rollouts()),
            chosen.repeats,
        )


if __name__ == "__main__":
    main()
