"""Channel between a workload and its supervisor."""

import socket

from jobs.worker.channel import Channel


def test_an_end_that_dies_before_it_has_read_everything_is_gone_and_what_it_sent_is_kept() -> None:
    """The kernel reports such an end as a connection reset.

    A workload that is killed during a call does not break the protocol.
    """
    ours, theirs = socket.socketpair()
    supervisor, workload = Channel(ours), Channel(theirs)
    workload.send({"event": "notice", "data": {}})
    supervisor.send({"answer": 1})
    theirs.close()
    assert supervisor.read_ready() is not None
    assert supervisor.read_ready() is None
    assert supervisor.messages() == [{"event": "notice", "data": {}}]
    ours.close()
