"""Rehearsals in the lab: an evening is run, recorded and judged."""
