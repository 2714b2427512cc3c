"""Evidence of revocation from the network: CRLs, OCSP answers and issuers, by URLs that strangers chose.

Nothing is imported here: the configuration reads the settings, and does without the HTTP client.
"""
