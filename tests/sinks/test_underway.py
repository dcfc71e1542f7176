from streamtag.sinks.underway import Underway


def test_what_was_handed_over_waits_until_it_is_taken_also_where_that_is_told_first() -> None:
    underway = Underway()
    underway.add(1, is_kept=True)
    underway.take(2)  # by the client's thread, before ours goes on
    underway.add(2, is_kept=True)
    assert (underway.waiting, underway.taken) == (1, 1)
    underway.take(1)
    assert (underway.waiting, underway.taken) == (0, 2)


def test_a_lost_connection_takes_along_what_is_not_sent_again() -> None:
    underway = Underway()
    underway.add(1, is_kept=True)
    underway.add(2, is_kept=False)
    underway.lose()
    assert underway.waiting == 1
