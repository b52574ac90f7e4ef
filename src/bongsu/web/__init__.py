"""Requests in, calls to the engine and the store, answers out."""
