"""Programs: commands as values, and the only code that runs them."""
