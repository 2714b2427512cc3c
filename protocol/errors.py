"""The one error of this package for bytes and trees that break the protocol."""


class MalformedRequest(ValueError):
    """A message that cannot be read: broken WBXML, or a tree of the wrong shape.

    `path` names the place by element names from the root (`/Sync/Collections/Collection/SyncKey`), empty where
    the bytes themselves are broken; `reason` says what is wrong, fit to be logged and shown (it never quotes more
    than `QUOTE_LIMIT` characters of the message).
    """

    QUOTE_LIMIT = 40

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.path = path
        self.reason = reason


class MalformedWbxml(MalformedRequest):
    """The bytes are no WBXML document (common Status 102, [MS-ASCMD] 2.2.2; HTTP 400 before 14.0)."""


class MalformedXml(MalformedRequest):
    """The tree does not have the shape of the command (common Status 103; HTTP 400 before 14.0)."""


class LimitExceeded(MalformedWbxml):
    """The document is larger, deeper or has more elements than the reader allows."""


def quote(value: object) -> str:
    """`value` for an error message, shortened to `MalformedRequest.QUOTE_LIMIT` characters."""
    text = repr(value)
    limit = MalformedRequest.QUOTE_LIMIT
    return text if len(text) <= limit else text[: limit - 1] + "…"
