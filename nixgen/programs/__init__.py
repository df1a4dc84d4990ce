"""Programs as values, and the one place that runs them."""
