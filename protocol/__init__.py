"""Exchange ActiveSync, sans-IO: the wire formats and the typed messages, and nothing of any server.

The layers, bottom up: `elements` (the neutral tree), `wbxml` (bytes <-> tree, [MS-ASWBXML]), `schema`
(tree <-> typed values), `commands` and `items` (the types, [MS-ASCMD] and the class documents), `http` and
`multipart` ([MS-ASHTTP]), `client` (the client half: builds requests, reads responses).

This package imports the standard library only, does no I/O and reads no clock.
"""
