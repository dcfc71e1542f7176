import time

__all__ = ["Load"]

_KNOWN_AFTER_PATCHES = 200
_MEMORY = 0.98
_BUSY = 0.5


class Load:
    """How busy the inference thread is, as means over its last fifty or so rounds."""

    def __init__(self) -> None:
        self._patches = 0
        self._patch_seconds = 0.0
        self._patch_sound = 0.0
        self._busy = 0.0
        self._last = time.perf_counter()

    def add(self, seconds: float, patches: int, sound: float) -> None:
        """Count one round: the seconds that it worked, the patches it scored, and of how many seconds they are."""
        now = time.perf_counter()
        elapsed = max(now - self._last, seconds, 1e-9)
        self._last = now
        # Rounds of very different length weigh by their length, up to a tenth of a second.
        memory = _MEMORY ** min(10.0, elapsed / 0.01)
        self._busy = memory * self._busy + (1 - memory) * seconds / elapsed
        if patches:
            memory = _MEMORY**patches if self._patches else 0.0
            self._patch_seconds = memory * self._patch_seconds + (1 - memory) * seconds / patches
            self._patch_sound = memory * self._patch_sound + (1 - memory) * sound / patches
            self._patches += patches

    @property
    def busy(self) -> bool:
        """Whether the thread works more than it waits; then larger batches are worth waiting for."""
        return self._busy > _BUSY

    def patches_in(self, seconds: float) -> int | None:
        """How many patches, at least one, the thread scores in so many seconds; None until one was seen."""
        return max(1, int(seconds / self._patch_seconds)) if self._patches else None

    @property
    def sustainable_streams(self) -> int | None:
        """How many unbroken streams the thread could score as they come; None until enough patches were seen."""
        if self._patches < _KNOWN_AFTER_PATCHES:
            return None
        return int(self._patch_sound / self._patch_seconds)
