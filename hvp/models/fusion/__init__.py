"""The step-by-step synthesis network: fusion pictures predicted, then translated to frames.

Read `model.py`, then `pictures.py` (what a fusion picture is), `predictor.py`, `translator.py`.
"""
