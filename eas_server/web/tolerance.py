"""Which quirks a request does not get: decided by client and version, and remembered."""

from collections.abc import Mapping
from typing import Final

from protocol.quirks import NONE_REFUSED, Switch, refuse, refused_to

_REMEMBERED: Final = 4096
"""Kinds of clients: more of them are decided anew."""


class Tolerance:
    """Refuses quirks to the request at hand, as they are switched."""

    def __init__(self) -> None:
        self._switches: Mapping[str, Switch] = {}
        self._known: dict[tuple[str, str, str], frozenset[str]] = {}

    def decide(
        self, switches: Mapping[str, Switch], *, device_type: str = "", user_agent: str = "", version: str = ""
    ) -> frozenset[str]:
        """The quirks that this client does not get; in the present task they are let pass no more."""
        if not switches:
            refuse(NONE_REFUSED)  # a pipelined request begins in the task of the one before it
            return NONE_REFUSED
        if switches is not self._switches or len(self._known) >= _REMEMBERED:
            self._switches, self._known = switches, {}
        client = (device_type, user_agent, version)
        refused = self._known.get(client)
        if refused is None:
            refused = refused_to(switches, device_type=device_type, user_agent=user_agent, version=version)
            self._known[client] = refused
        refuse(refused)
        return refused
