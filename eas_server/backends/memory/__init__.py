"""All ports in memory: slow, without durability, and simple enough to be believed. Tests compare the others with it."""

from eas_server.backends.memory.harvested import MemoryHarvested
from eas_server.backends.memory.mail import MemoryFolders, MemoryMail
from eas_server.backends.memory.people import MemoryPeople
from eas_server.backends.memory.preferences import MemoryPreferences
from eas_server.backends.memory.state import MemoryState
from eas_server.backends.memory.submission import MemoryQueue, MemorySubmission
from eas_server.backends.memory.world import World
from eas_server.interfaces import ChangeNotifier


class MemoryStore:
    """The same attributes as the embedded store's."""

    def __init__(self, notifier: ChangeNotifier | None = None) -> None:
        world = World(notifier)
        self.folders = MemoryFolders(world)
        self.mail = MemoryMail(world)
        self.state = MemoryState()
        self.preferences = MemoryPreferences(world)
        self.harvested = MemoryHarvested(world)
        self.queue = MemoryQueue()
        self.submission = MemorySubmission(world, self.mail, self.queue)
        self.directory = self.accounts = self.authenticator = self.admin = MemoryPeople(world)


__all__ = ["MemoryStore"]
