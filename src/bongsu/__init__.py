"""Bongsu keeps a web service on burstable machines out of trouble."""

__version__ = "0.1.0"
