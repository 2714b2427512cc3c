"""Contacts between vCard (RFC 6350, 2426) and the protocol's properties ([MS-ASCNTC]).

`places` says where in a vCard each property stands, `values` reads and writes single values, `vcard` puts them
together.
"""
