"""From MIME octets to what clients see, and nothing else: no I/O, no clock, no randomness.

`mime` reads a message once, at delivery, into a MessageIndex; `body` decides from that index what a client gets as
body and which octets that takes; `text` decodes and converts those; `email` puts the item's properties together.
"""
