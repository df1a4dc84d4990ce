"""Rules: what must hold inside each model, and between the models of a project."""
