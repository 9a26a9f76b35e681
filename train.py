"""Trains an experiment: `python train.py --config configs/kth.yml`."""

import sys

from hvp.training.command import main

if __name__ == "__main__":
    sys.exit(main())
