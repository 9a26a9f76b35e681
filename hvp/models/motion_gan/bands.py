"""Bands of frequency, by which motion is manipulated. Importing this does not import TensorFlow."""

from __future__ import annotations

from typing import NamedTuple


class Bands(NamedTuple):
    """Ranges of frequency, and which of them move the video.

    Attributes:
        edges: upper ends in rising order; band k is `[edges[k - 1], edges[k])`, band 0 starts
            at 0. Frequencies are in radians a unit of time; a training clip spans 2 units.
        keep: numbers of the bands that stay; `None`: all. Frequencies from the last edge on are
            in no band: they are left out wherever bands are kept or given codes of their own.
        relative: edges are shares of each branch's highest frequency instead.

    Example:
        >>> slow = Bands(edges=(3.0, math.inf), keep=(0,))  # without the motion from 3 on
    """

    edges: tuple[float, ...]
    keep: tuple[int, ...] | None = None
    relative: bool = False

    def check(self) -> Bands:
        """The same, of tuples; raises a `ValueError` for edges out of order and unknown bands."""
        edges = tuple(self.edges)
        if not edges or list(edges) != sorted(set(edges)) or not edges[0] > 0:
            raise ValueError(f"bands need edges above 0 in rising order, found {edges}")
        keep = None if self.keep is None else tuple(self.keep)
        if any(not 0 <= band < len(edges) for band in keep or ()):
            raise ValueError(f"bands are numbered 0 to {len(edges) - 1}, found keep={keep}")
        return Bands(edges, keep, self.relative)
