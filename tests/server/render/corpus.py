"""The messages of `fixtures/mail`."""

import importlib.util
from pathlib import Path
from types import ModuleType

MAIL = Path(__file__).parents[3] / "fixtures" / "mail"
PKI = MAIL.parent / "pki"
NAMES = sorted(path.stem for path in MAIL.glob("*.eml"))


def message(name: str) -> bytes:
    """A message's octets."""
    return (MAIL / f"{name}.eml").read_bytes()


def maker() -> ModuleType:
    """The script that makes the corpus, as a module."""
    spec = importlib.util.spec_from_file_location("fixtures_mail_make", MAIL / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
