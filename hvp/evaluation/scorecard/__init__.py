"""The scorecard of a probabilistic prediction: sharp, right, and honest about its doubt."""
