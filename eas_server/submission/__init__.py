"""Mail on its way out and in: whom it goes to, what is put on top of it, the queue to the smart host, and LMTP.

`header` edits outer headers byte by byte; `copies` makes what is stored; `routing` tells local from remote
recipients; `trace` and `report` write header lines and delivery reports; `queue` and `smart_host` send; `incoming`,
`lmtp` and the command `eas-server deliver` receive. A message's body is never parsed and written again here.
"""
