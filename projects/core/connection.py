"""Release of a request's database connection during a long wait."""

from django.db import connection

from mimir.lib.request_slot import slot_release


def connection_release() -> None:
    """Return the connection to the pool before a long wait; the next query takes a new one.

    Does nothing inside a transaction. A request can wait for a parsing child for a minute: if each
    of them held a connection, a few would use up the pool. The request's slot
    (`mimir.lib.request_slot`) is released, too.
    """
    if not connection.in_atomic_block:
        connection.close()
        slot_release()
