"""The test PKI of fixtures/pki for the tests of this folder."""

import importlib.util
from functools import cache
from pathlib import Path
from types import ModuleType

from eas_server.pki.keys import PrivateKey, key_from_pem

FIXTURES = Path(__file__).parents[3] / "fixtures" / "pki"


@cache
def declaration() -> ModuleType:
    """fixtures/pki/make.py, which is a script and no package."""
    spec = importlib.util.spec_from_file_location("fixtures_pki_make", FIXTURES / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def der(name: str) -> bytes:
    return (FIXTURES / f"{name}.der").read_bytes()


@cache
def key(name: str) -> PrivateKey:
    return key_from_pem((FIXTURES / f"{name}.pem").read_bytes())


@cache
def user_smime(name: str) -> bytes:
    return (FIXTURES / f"{name}.usersmime").read_bytes()
