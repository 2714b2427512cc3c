"""The administration API: JSON over HTTP, for programs that hold a token (docs/administration.md)."""
