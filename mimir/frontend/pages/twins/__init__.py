"""Pages of digital twins and their entities."""
