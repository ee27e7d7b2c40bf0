"""`digital_twin_update`: update the entities of a twin from a dataset version."""
