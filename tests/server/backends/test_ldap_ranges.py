"""Active Directory gives the members of a big group in pieces ([MS-ADTS] 3.1.1.3.1.3.3)."""

import socket

from eas_server.backends.ldap import LdapPool, LdapSettings
from eas_server.backends.ldap.connection import Scope
from tests.server.backends.ldap_listener import Listener, answered, tlv

GROUP = "cn=big,dc=example,dc=com"
DONE = tlv(0x65, b"\x0a\x01\x00\x04\x00\x04\x00")


def entry(attribute: bytes, *values: bytes) -> bytes:
    attributes = tlv(0x30, tlv(0x30, tlv(4, attribute), tlv(0x31, *(tlv(4, value) for value in values))))
    return tlv(0x64, tlv(4, GROUP.encode()), attributes)


def active_directory(peer: socket.socket) -> None:
    while request := peer.recv(4096):
        if b"member;range=2-" in request:
            piece = entry(b"member;range=2-*", b"cn=c")
        else:
            piece = entry(b"member;range=0-1", b"cn=a", b"cn=b")
        peer.sendall(answered(request, piece) + answered(request, DONE))


async def test_all_pieces_are_read() -> None:
    server = Listener(active_directory)
    pool = LdapPool(LdapSettings(uris=(server.uri,), base_dn="dc=example,dc=com"))
    try:
        found = await pool.run(
            lambda connection: connection.search("(objectClass=group)", ("member",), base=GROUP, scope=Scope.ENTRY)
        )
    finally:
        await pool.close()
        server.close()
    assert [each.texts(("member",)) for each in found.entries] == [("cn=a", "cn=b", "cn=c")]
