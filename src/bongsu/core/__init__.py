"""Values and decisions: no I/O, no clock, no ids, nothing but the standard library."""
