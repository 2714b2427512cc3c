"""The steps of the schema, and opening what is no store or not ours."""

import shutil
import sqlite3
import stat
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateTable

from eas_server.backends.sqlite import IncompatibleStore, migrate, open_store
from eas_server.backends.sqlite.schema import metadata
from eas_server.errors import StoreUnavailable
from tests.contract.samples import ALICE


def test_the_steps_lead_to_the_declared_schema(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    migrate.prepare(path)
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": _ours})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def _ours(_: object, name: str, kind: str, __: object, ___: object) -> bool:
    return not (kind == "table" and name.startswith("message_words"))


def test_the_last_step_is_the_one_that_the_program_knows() -> None:
    config = Config()
    config.set_main_option("script_location", "eas_server.backends.sqlite:migrations")
    assert ScriptDirectory.from_config(config).get_current_head() == migrate.HEAD


def test_postgresql_could_have_the_same_tables() -> None:
    from sqlalchemy.dialects import postgresql

    for table in metadata.sorted_tables:
        text = str(CreateTable(table).compile(dialect=postgresql.dialect()))
        assert "BIGINT" in text or "TEXT" in text


async def test_a_newer_store_is_refused(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = '0999'")
    connection.commit()
    connection.close()
    with pytest.raises(IncompatibleStore, match="0999"):
        async with open_store(path):
            pass


async def test_other_files_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE x (y)")
    connection.commit()
    connection.close()
    with pytest.raises(IncompatibleStore, match="not a store"):
        async with open_store(other):
            pass
    text = Path(shutil.copy(__file__, tmp_path / "text.db"))
    with pytest.raises(IncompatibleStore):
        async with open_store(text):
            pass
    with pytest.raises(StoreUnavailable):
        async with open_store(tmp_path / "nowhere" / "x.db"):
            pass


async def test_mail_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    async with open_store(path) as store:
        assert list(await store.folders.folders(ALICE)) == []
        for found in tmp_path.iterdir():  # noqa: ASYNC240  # a directory of three files
            assert stat.S_IMODE(found.stat().st_mode) == 0o600
    async with open_store(path):
        pass
