"""DFDNet: dynamics disentangled and filtered by frequency. Read `model.py`, then `blocks.py`."""
