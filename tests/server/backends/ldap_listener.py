"""A pretended directory server: what it says is up to the test."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress


class Listener:
    """A server on the loopback that takes connections and lets `talk` speak on them."""

    def __init__(self, talk: Callable[[socket.socket], None]) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._talk = talk
        self._peers: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def taken(self) -> int:
        return len(self._peers)

    @property
    def uri(self) -> str:
        return f"ldap://127.0.0.1:{self._socket.getsockname()[1]}"

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._socket.accept()
            except OSError:
                return
            self._peers.append(peer)
            thread = threading.Thread(target=self._serve, args=(peer,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, peer: socket.socket) -> None:
        with suppress(OSError):
            self._talk(peer)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        for peer in self._peers:
            with suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join()
        for each in (self._socket, *self._peers):
            each.close()


def answered(request: bytes, operation: bytes) -> bytes:
    """An LDAPMessage with the id of the request."""
    start = 2 if request[1] < 0x80 else 2 + (request[1] & 0x7F)
    message_id = request[start : start + 2 + request[start + 1]]
    return tlv(0x30, message_id, operation)


def tlv(tag: int, *parts: bytes) -> bytes:
    """A BER element with a length in two octets."""
    content = b"".join(parts)
    return bytes((tag, 0x82)) + len(content).to_bytes(2, "big") + content
