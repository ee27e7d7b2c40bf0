"""The request's database connection, while the request waits for something else."""

from django.db import connection


def connection_release() -> None:
    """Return the connection to the pool before a long wait; the next query takes one again. Inside a transaction nothing happens.

    A request that waits for a parsing child may wait for a minute: with a connection each, a few of them would stop everybody.
    """
    if not connection.in_atomic_block:
        connection.close()
