"""Show things: tables, claims, figures, sound, provenance and pages, read from result files."""
