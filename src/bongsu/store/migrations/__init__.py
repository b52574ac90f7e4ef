"""Numbered SQL, applied in order, never changed once released. ``$ID`` is the database's own counting key."""
