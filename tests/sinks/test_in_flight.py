from streamtag.sinks.in_flight import InFlight


def test_what_was_handed_over_waits_until_it_is_taken_also_where_that_is_told_first() -> None:
    in_flight = InFlight()
    in_flight.add(1, is_kept=True)
    in_flight.acknowledge(2)  # by the client's thread, before ours goes on
    in_flight.add(2, is_kept=True)
    assert (in_flight.waiting, in_flight.acknowledged) == (1, 1)
    in_flight.acknowledge(1)
    assert (in_flight.waiting, in_flight.acknowledged) == (0, 2)


def test_a_lost_connection_takes_along_what_is_not_sent_again() -> None:
    in_flight = InFlight()
    in_flight.add(1, is_kept=True)
    in_flight.add(2, is_kept=False)
    in_flight.lose()
    assert in_flight.waiting == 1
