"""Replays our Dockerfiles and compose.yaml without Docker: Debian in folders, namespaces of our own."""
