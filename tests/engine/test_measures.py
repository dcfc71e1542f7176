from streamtag.engine.measures import Measures, measured


def test_a_value_counts_in_the_lowest_class_that_holds_it_and_threads_count_together() -> None:
    one, other = Measures(), Measures()
    one.add_batch(1, 0.001)
    other.add_batch(3, 9.0)
    other.add_delays([10.0, 12.0], now=10.02)  # a clock that was set back does not count below nothing
    found = measured([one, other])
    patches, seconds, delay = (found[name] for name in ("batch_patches", "inference_seconds", "publish_delay_seconds"))
    assert (patches.counts[:4], sum(patches.counts), patches.sum) == ([1, 0, 1, 0], 2, 4)
    assert (seconds.counts[0], seconds.counts[-1], seconds.sum) == (1, 1, 9.001)
    assert (delay.counts[0], delay.counts[delay.bounds.index(0.025)]) == (1, 1)
    assert all(len(each.counts) == len(each.bounds) + 1 for each in found.values())
