"""Keys of the PostgreSQL advisory locks used by jobs."""

ADMISSION_LOCK = 0x4D494D4952  # "MIMIR"; one key per installation
