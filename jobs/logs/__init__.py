"""Log of an attempt: append, seal into storage, read, search, checksum."""
