"""Keys of the PostgreSQL advisory locks that this app takes."""

ADMISSION_LOCK = 0x4D494D4952  # "MIMIR": one key for the whole installation
