"""The only SQL: one file per noun, functions that take the transaction first and return core values."""
