"""What the classes that are kept as iCalendar and vCard share."""


class InvalidItem(ValueError):
    """A client's item that cannot be kept: out of range, contradictory, or without what it needs (Sync Status 6)."""
