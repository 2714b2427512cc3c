"""The commands that this server has."""

import importlib
import importlib.util
import re
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from eas_server.commands.context import Command
from protocol.http import CommandName


@cache
def load_commands() -> Mapping[CommandName, Command]:
    """Each command of the protocol documents that has a module of its name in this package, by name.

    Looked up once, when the server starts: what it offers stays the same while files are replaced by an update.
    """
    found = {}
    for name in CommandName:
        module = f"{__package__}.{module_name(name)}"
        if importlib.util.find_spec(module) is not None:
            command: Command = importlib.import_module(module).COMMAND
            found[name] = command
    return MappingProxyType(found)


def module_name(name: CommandName) -> str:
    """`SendMail` -> `send_mail`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name.value).lower()
