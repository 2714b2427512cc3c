"""Meetings by mail: iTIP messages ([RFC 5546], [RFC 6047]) read, written, and brought into calendars."""
