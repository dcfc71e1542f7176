from streamtag.token_bucket import TokenBucket


def test_so_many_at_once_and_then_so_many_a_second() -> None:
    now = 100.0
    bucket = TokenBucket(3.0, 2.0, lambda: now)
    assert [bucket.spend() for _ in range(4)] == [True, True, True, False]
    now += 0.5
    assert [bucket.spend() for _ in range(2)] == [True, False]
    now += 60.0
    assert not bucket.spend(4.0)  # more than it ever holds
    assert bucket.spend(3.0)
