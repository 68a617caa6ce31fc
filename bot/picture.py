"""What a step may show in the channel besides text."""

from dataclasses import dataclass


@dataclass(frozen=True, repr=False)
class Picture:
    """A picture for the channel: a PNG, and in `alt` what it shows, for those who cannot see it (1,000 characters)."""

    png: bytes
    alt: str

    def __repr__(self) -> str:
        return f"Picture({len(self.png)} bytes, {self.alt!r})"
