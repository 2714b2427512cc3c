"""Certificates and CMS as pure functions: parse, select, issue, sign, encrypt, decrypt, verify.

Nothing here reads a file, a socket or a clock. Certificates travel as DER bytes; what is read out of one is a
`ParsedCertificate`. Bytes from strangers give a value or one of the declared errors, never anything else.
"""
