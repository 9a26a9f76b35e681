"""Evaluates an experiment: `python eval_with_lpips.py --logdir ./logs/kth/model`."""

import sys

from hvp.__main__ import script

if __name__ == "__main__":
    sys.exit(script("evaluate"))
