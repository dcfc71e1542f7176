from hypothesis import given
from hypothesis import strategies as st

from streamtag.fleet.lease import ASK_SECONDS, LEASE_SECONDS, LeaseTable, Tenure


def test_a_term_holds_until_it_is_revoked_and_later_ones_hold() -> None:
    table = LeaseTable()
    assert table.holds("a", 1)
    table.revoke({"a": 5})
    assert not table.holds("a", 5)
    assert not table.holds("a", 4)
    assert table.holds("a", 6)
    assert table.holds("b", 1)
    table.revoke({"a": 3})  # told again by somebody who is behind
    assert not table.holds("a", 5)


def test_a_node_that_was_given_nothing_scores_nothing() -> None:
    assert not Tenure().holds(0.0)


def test_an_older_term_renews_nothing() -> None:
    tenure = Tenure()
    tenure.begin(1, 0.0)
    tenure.begin(2, 1.0)
    tenure.renew(1, 50.0)
    assert not tenure.holds(20.0)
    tenure.begin(1, 20.0)
    assert not tenure.holds(20.0)


ANSWERS = st.lists(st.tuples(st.booleans(), st.floats(0.0, 2.0), st.floats(0.0, 30.0)), max_size=40)


@given(ANSWERS, st.floats(0.0, 60.0), st.booleans())
def test_after_its_term_was_revoked_a_node_scores_no_longer_than_a_lease(
    turns: list[tuple[bool, float, float]], revoked_at: float, store_is_lost: bool
) -> None:
    """Whatever it hears, however late, and however long it is frozen in between."""
    table, tenure, now = LeaseTable(), Tenure(), 0.0
    tenure.begin(1, now)
    for answers, delay, frozen in turns:
        asked, now = now, now + delay
        if answers:  # the answer was made at some time between: here the moment of asking
            if asked >= revoked_at:
                table = LeaseTable() if store_is_lost else table
                table.revoke({"a": 1})  # told again each turn by whoever places streams
            if table.holds("a", 1):
                tenure.renew(1, asked)
            else:
                tenure.end(1)
        now += ASK_SECONDS + frozen
        assert not (tenure.holds(now) and now > revoked_at + LEASE_SECONDS)
