"""Trains an experiment: `python train.py --config configs/kth.yml`."""

import sys

from hvp.__main__ import script

if __name__ == "__main__":
    sys.exit(script("train"))
