"""What the administrator does, whoever asks for it: the command line, the HTTP API, a seed file."""
