"""How many videos a distance needs: two halves of one data set, whose true distance is 0.

    python bench/distances_by_number.py [--draws 6]

Moving shapes of 16 frames against moving shapes (another half), and against ones that move half as
far; on the features of the small network that comes with hvp. Prints each distance by the number of
videos, mean and standard deviation over draws.
"""

from __future__ import annotations

import argparse

import numpy as np

FRAMES, LARGEST = 16, 1024
NUMBERS = (32, 64, 128, 256, 512, 1024)


def features(seed: int, slow: bool = False) -> np.ndarray:
    """`(LARGEST, features)` of moving shapes; slow ones show each frame twice."""
    from hvp.data.sources.moving_shapes import draw_parameters, render
    from hvp.distances.small_network import SmallVideoNetwork

    network, random = SmallVideoNetwork(), np.random.default_rng(seed)
    parts = []
    for _ in range(LARGEST // 32):
        clips = np.stack([render(draw_parameters(random), FRAMES) for _ in range(32)])
        if slow:
            clips = clips[:, np.arange(FRAMES) // 2]
        parts.append(network.embed(clips))
    return np.concatenate(parts)


def distances(real: np.ndarray, fake: np.ndarray) -> dict[str, float]:
    from hvp.distances.extrapolation import extrapolated_frechet
    from hvp.distances.frechet import frechet_distance
    from hvp.distances.kernel import kernel_distance
    from hvp.distances.neighbours import neighbourhoods

    found = {
        "FVD": frechet_distance(real, fake),
        "extrapolated": extrapolated_frechet(real, fake, replicates=2).value,
        "kernel": kernel_distance(real, fake).value,
    }
    return found | neighbourhoods(real, fake)._asdict()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=6)
    arguments = parser.parse_args()
    from hvp.quiet import import_tensorflow

    import_tensorflow()
    pools = {"halves": (features(0), features(1))}
    pools["slower"] = (pools["halves"][0], features(2, slow=True))
    for pair, (real, fake) in pools.items():
        print(f"\n{pair}\n")
        for number in NUMBERS:
            random = np.random.default_rng(number)
            rows = [
                distances(*(pool[random.permutation(LARGEST)[:number]] for pool in (real, fake)))
                for _ in range(1 if number == LARGEST else arguments.draws)
            ]
            if number == NUMBERS[0]:
                print(f"| N | {' | '.join(rows[0])} |\n|---:|{'---:|' * len(rows[0])}")
            cells = []
            for name in rows[0]:
                values = [row[name] for row in rows]
                cells.append(f"{np.mean(values):.4g} ± {np.std(values):.2g}")
            print(f"| {number} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
