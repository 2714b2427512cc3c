"""Contact photos in answers: which are sent, and what is said of the others (MS-ASCMD_R3286 to R3289)."""

from protocol.commands.resolve_recipients import MAX_PICTURE, PictureStatus


class Pictures:
    """Hands out photos until there were enough of them: one of these for each `To`, or for each Search."""

    def __init__(self, max_size: int | None, max_pictures: int | None) -> None:
        """`max_size` in octets of one photo; None: as large, or as many, as the protocol allows."""
        self._max_size = MAX_PICTURE if max_size is None else min(max_size, MAX_PICTURE)
        self._left = max_pictures

    def take(self, picture: bytes) -> tuple[PictureStatus, bytes | None]:
        """What to say of the next entry's photo (b"": it has none), and the octets where they are sent."""
        if not picture:
            return PictureStatus.NO_PICTURE, None
        if len(picture) > self._max_size:
            return PictureStatus.TOO_LARGE, None
        if self._left is not None:
            if self._left <= 0:
                return PictureStatus.LIMIT_REACHED, None
            self._left -= 1
        return PictureStatus.SUCCESS, picture
