"""Hierarchical residual latent model and its ancestor, Clockwork VAE.

Read `model.py` first (the method), then `cell.py` (one level's recurrent state-space model),
`encoder.py` and `decoder.py`.
"""
