"""Forking shapes: videos whose future is random by a law that is known exactly.

Ours, made to ask whether a model's uncertainty is right. Generated, any size, grey or RGB; training
videos fresh in every epoch, test videos always the same. Protocol: 10 frames of context, before the
first fork; with `data.forks` of them, 10 * (forks + 1) frames in all.

Rules, in a unit square and whole frames. A shape moves straight ahead, STEP a frame, and bounces at
the walls. At frames 10, 20, ... it reaches a fork and turns left, goes straight on or turns right,
with probabilities p1 = `data.likely_branch`, p3 = `data.rare_branch` and p2, the rest, in an order
that the kind of shape decides (the cue):

    disc: (left, straight, right) = (p1, p2, p3); square: (p3, p1, p2); triangle: (p2, p3, p1).

Meanwhile a lamp in the corner is lit or not. Every 5 frames, from frame 10 on, a lit lamp vanishes
and a dark one appears with probabilities of their own. Everything else is deterministic. Kind,
heading, lane and lamp at the start are uniform and can be seen in the context.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hvp.config import DataConfig
from hvp.data.data_set import DataSet, Preparation
from hvp.data.generated_videos import GeneratedVideos

KINDS = ("disc", "square", "triangle")
HEADINGS = ((1, 0), (0, 1), (-1, 0), (0, -1))  # (x, y) of right, down, left, up: turns to the right
BRANCHES = ("left", "straight", "right")
LANES = (-0.1, 0.0, 0.1)  # beside the middle, across the heading
STEP, RADIUS = 0.04, 0.09
FORK_EVERY = 10  # frames; the first fork is at this one
LAMP_EVERY = 5  # frames, from the first fork on
APPEAR, VANISH = 0.3, 0.2
LAMP = (0.12, 0.12, 0.07)  # x, y, half of its side
COLOURS = {"disc": (1.0, 0.85, 0.2), "square": (0.3, 0.8, 1.0), "triangle": (0.5, 1.0, 0.4)}
LAMP_COLOUR = (1.0, 0.4, 0.5)
LAMP_GREY = 0.6
SUPERSAMPLED = 4  # points along each side of a pixel
TEST_SEED = 20261121


class ForkingShapes(DataSet):
    name = "forking_shapes"
    preparation = Preparation(64, 64, 1)
    protocol = "10 -> 10 a fork"
    generated = True
    stored = False
    advice = "set data.datadir to null: forking_shapes are generated"

    def generate(self, config: DataConfig, split: str, seq_len: int, seed: int) -> RandomFutures:
        """Videos that `draw_start`, `draw_future` and `render` make."""
        return RandomFutures(config, split, seq_len, seed)


class Start(NamedTuple):
    """What the context shows: indices into `KINDS`, `HEADINGS` and `LANES`, and the lamp."""

    kind: int
    heading: int
    lane: int
    lamp: bool


class Future(NamedTuple):
    """What chance decides: a branch a fork (index into `BRANCHES`), the lamp after each tick."""

    branches: tuple[int, ...]
    lamp: tuple[bool, ...]


class Law:
    """The exact law of what follows a context.

    Args:
        start: what the context shows.
        probabilities: of a fork's branches, as `branch_probabilities` gives them.
        forks: `data.forks`.
    """

    def __init__(self, start: Start, probabilities: Sequence[float], forks: int):
        self.start, self.forks = start, forks
        self.branch = np.roll(np.asarray(probabilities, float), start.kind)
        """`(3,)`: the probabilities of `BRANCHES` at every fork."""

    def outcomes(self) -> dict[tuple[int, ...], float]:
        """The probability of every sequence of branches."""
        sequences = itertools.product(range(len(BRANCHES)), repeat=self.forks)
        return {branches: float(np.prod(self.branch[list(branches)])) for branches in sequences}

    def lamp(self, ticks: int) -> np.ndarray:
        """`(ticks,)`: the probability that the lamp is lit after each tick."""
        lit, probabilities = float(self.start.lamp), []
        for _ in range(ticks):
            lit = lit * (1 - VANISH) + (1 - lit) * APPEAR
            probabilities.append(lit)
        return np.array(probabilities)

    def sample(self, random: np.random.Generator, num_frames: int) -> Future:
        """Draws a future of a video of `num_frames` frames: what an oracle predicts."""
        branches = random.choice(len(BRANCHES), size=self.forks, p=self.branch)
        lit, lamp = self.start.lamp, []
        for change in random.uniform(size=lamp_ticks(num_frames)):
            lit = bool(change >= VANISH if lit else change < APPEAR)
            lamp.append(lit)
        return Future(tuple(int(b) for b in branches), tuple(lamp))


class RandomFutures(GeneratedVideos):
    """Random videos of a law. See `FrameSource`."""

    test_seed = TEST_SEED

    def draw(self, random: np.random.Generator, num_frames: int) -> np.ndarray:
        c = self._config
        start = draw_start(random)
        law = Law(start, branch_probabilities(c), c.forks)
        future = law.sample(random, num_frames)
        return render(start, future, num_frames, c.height, c.width, c.channels)


def branch_probabilities(config: DataConfig) -> tuple[float, float, float]:
    """Of a fork's branches: the likeliest, the third, the rarest."""
    rest = 1 - config.likely_branch - config.rare_branch
    return config.likely_branch, max(rest, 0.0), config.rare_branch


def lamp_ticks(num_frames: int) -> int:
    """How often chance decides over the lamp in a video."""
    return max(0, -(-(num_frames - FORK_EVERY) // LAMP_EVERY))


def draw_start(random: np.random.Generator) -> Start:
    """A random start."""
    kind, heading, lane = (random.integers(len(x)) for x in (KINDS, HEADINGS, LANES))
    return Start(int(kind), int(heading), int(lane), bool(random.integers(2)))


def positions(start: Start, branches: Sequence[int], num_frames: int) -> np.ndarray:
    """The shape's centre in every frame: `(num_frames, 2)`, x and y in [0, 1]."""
    heading = np.array(HEADINGS[start.heading], float)
    across = np.array(HEADINGS[(start.heading + 1) % 4], float)
    place = 0.5 + LANES[start.lane] * across - STEP * FORK_EVERY * heading
    places = []
    for t in range(num_frames):
        fork, off = divmod(t, FORK_EVERY)
        if off == 0 and 0 < fork <= len(branches):
            turn = branches[fork - 1] - 1  # -1: left
            heading = heading if turn == 0 else turn * np.array((-heading[1], heading[0]))
        places.append(place)
        place = place + STEP * heading
        beyond = (place < RADIUS) | (place > 1 - RADIUS)
        heading = np.where(beyond, -heading, heading)
        wall = np.where(place < RADIUS, RADIUS, 1 - RADIUS)
        place = np.where(beyond, 2 * wall - place, place)
    return np.array(places)


def render(
    start: Start, future: Future, num_frames: int, height: int, width: int, channels: int
) -> np.ndarray:
    """The frames of a future: uint8 `(num_frames, height, width, channels)`."""
    shape_colour = COLOURS[KINDS[start.kind]] if channels == 3 else (1.0,)
    lamp_colour = LAMP_COLOUR if channels == 3 else (LAMP_GREY,)
    lamp = coverage("square", LAMP[:2], LAMP[2], height, width)[..., None] * lamp_colour
    frames = np.zeros((num_frames, height, width, channels))
    for t, place in enumerate(positions(start, future.branches, num_frames)):
        covered = coverage(KINDS[start.kind], place, RADIUS, height, width)
        frames[t] = covered[..., None] * shape_colour
        tick = (t - FORK_EVERY) // LAMP_EVERY
        if start.lamp if tick < 0 else future.lamp[tick]:
            frames[t] = np.maximum(frames[t], lamp)
    return np.rint(frames * 255).astype(np.uint8)


def coverage(
    kind: str, place: Sequence[float], radius: float, height: int, width: int
) -> np.ndarray:
    """The share of every pixel that a shape covers: `(height, width)` in [0, 1]."""
    points = [(np.arange(n * SUPERSAMPLED) + 0.5) / (n * SUPERSAMPLED) for n in (height, width)]
    y, x = points[0][:, None] - place[1], points[1][None] - place[0]
    if kind == "disc":
        inside = x**2 + y**2 <= radius**2
    elif kind == "square":
        inside = np.maximum(np.abs(x), np.abs(y)) <= radius * 0.9
    else:  # upright, its point on top
        inside = (np.abs(x) <= (y + radius) / 2) & (y <= radius)
    size = (height, SUPERSAMPLED, width, SUPERSAMPLED)
    return inside.reshape(size).mean(axis=(1, 3))


def lamp_region(height: int, width: int) -> np.ndarray:
    """Pixels that the lamp touches: bool `(height, width)`."""
    return coverage("square", LAMP[:2], LAMP[2], height, width) > 0


def read_start(context: np.ndarray) -> Start:
    """What a context shows, found by comparing it with every possible start.

    Args:
        context: `(time, height, width, channels)`, float32 in [0, 1], the first frames of a video,
            at most 10 of them.
    """
    time, height, width, channels = context.shape
    region = lamp_region(height, width)
    lamp_level = LAMP_GREY if channels == 1 else max(LAMP_COLOUR)
    lit = bool(context[0, region].max(axis=-1).mean() > lamp_level / 2)
    best, smallest = Start(0, 0, 0, lit), np.inf
    ticks = (lit,) * lamp_ticks(time)
    shown = (range(len(KINDS)), range(len(HEADINGS)), range(len(LANES)))
    for kind, heading, lane in itertools.product(*shown):
        start = Start(kind, heading, lane, lit)
        expected = render(start, Future((), ticks), time, height, width, channels)
        error = np.square(expected / 255.0 - context)[:, ~region].sum()
        if error < smallest:
            best, smallest = start, error
    return best


def distribution(context: np.ndarray, probabilities: Sequence[float], forks: int) -> Law:
    """The exact law of what follows a context.

    Args:
        context: as of `read_start`.
        probabilities: as of `Law`.
        forks: `data.forks`.
    """
    return Law(read_start(context), probabilities, forks)
