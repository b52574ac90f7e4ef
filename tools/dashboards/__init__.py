"""Grafana's dashboards, written down once and built in every language: ``python -m tools.dashboards``."""
