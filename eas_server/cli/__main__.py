"""`python -m eas_server.cli`."""

from eas_server.cli import main

main()
