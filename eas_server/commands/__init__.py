"""The commands, one module each: `COMMAND` in `eas_server.commands.<command>` is what the endpoint dispatches to.

A handler is gather -> decide -> act -> answer: named functions, of which only gathering and acting await.
"""
