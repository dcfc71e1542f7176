import pytest

from streamtag.benchmark.overhead import measure_overhead
from streamtag.settings import Config


@pytest.mark.timeout(120)  # it starts a process that imports everything
def test_what_a_patch_costs_beside_the_model_is_split_in_two(config: Config) -> None:
    overhead = measure_overhead(config, 20)
    assert overhead.streams == 20
    assert overhead.sound_in_us > 0
    assert overhead.patch_us > 0
