"""One story each: settings, parts, losses, step, evaluate."""

PAPERS = ("fusion",)
