"""SVG-LP: stochastic video generation with a learned prior."""
