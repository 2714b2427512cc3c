"""What an administrator says about a share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from eas_server.model.documents import is_host, is_name

EVERYBODY: Final = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareSettings:
    """`[[shares]]`: a local folder, and the UNC names that it is reached by.

    Raises ValueError ("key: what would be right").
    """

    hosts: tuple[str, ...]
    """`files.example.com`, `files`, `files.example.com:8445`: each as clients write it."""
    name: str
    """The name of the share: the second part of a UNC name."""
    path: Path
    readers: tuple[str, ...]
    """Users, and local groups by their address; EVERYBODY for all who may sign in."""
    hidden: tuple[str, ...] = (".*",)
    """Patterns of names that are told to be hidden: `*` and `?` stand for what they do in a shell."""
    show_hidden: bool = True
    """Whether hidden items can be seen and fetched at all."""

    def __post_init__(self) -> None:
        """Refuse what no UNC name could reach."""
        if not self.hosts or not all(map(is_host, self.hosts)):
            raise ValueError(
                'hosts: must be names of hosts, with a port where clients write one: ["files.example.com"]'
            )
        if not is_name(self.name):
            raise ValueError('name: must be one part of a UNC name: "docs"')
        if not all(reader == EVERYBODY or (reader and reader == reader.strip()) for reader in self.readers):
            raise ValueError('readers: must be users and groups: ["alice@example.com", "team@example.com"]')
