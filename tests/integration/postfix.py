"""A real Postfix for a test, with its own configuration, queue and free port of the loopback. It has to be root's.

It takes mail for `elsewhere.test`, where only dora has a mailbox, and hands mail for `example.com` to an LMTP socket.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

POSTFIX: Final = shutil.which("postfix", path="/usr/sbin:/usr/local/sbin:/usr/bin")
DAEMONS: Final = Path("/usr/lib/postfix/sbin")
START_SECONDS: Final = 20

MAIN: Final = """\
compatibility_level = 3.6
queue_directory = {home}/spool
data_directory = {home}/data
daemon_directory = {daemons}
maillog_file = {home}/log
maillog_file_prefixes = {home}
myhostname = mx.example.com
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions =
smtpd_peername_lookup = no
disable_dns_lookups = yes
alias_maps =
alias_database =
local_recipient_maps =
virtual_mailbox_domains = elsewhere.test
virtual_mailbox_base = {home}/boxes
virtual_mailbox_maps = inline:{{ {{ dora@elsewhere.test = dora/ }} }}
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
relay_domains = example.com
relay_transport = lmtp:unix:{home}/lmtp
smtputf8_enable = yes
message_size_limit = 30000000
mailbox_size_limit = 0
virtual_mailbox_limit = 0
"""
MASTER: Final = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """A Postfix that runs."""

    def __init__(self, home: Path, port: int) -> None:
        self.home = home
        self.port = port
        self.lmtp = home / "lmtp"
        """Where it expects the LMTP listener."""

    @property
    def log(self) -> str:
        """What it wrote so far."""
        path = self.home / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def mail(self, name: str) -> list[bytes]:
        """The messages in a mailbox, oldest first."""
        new = self.home / "boxes" / name / "new"
        paths = sorted(new.iterdir(), key=lambda path: path.stat().st_mtime_ns) if new.is_dir() else []
        return [path.read_bytes() for path in paths]


@contextmanager
def start_postfix() -> Iterator[Postfix]:
    """A Postfix for as long as the context lasts."""
    assert POSTFIX is not None
    home = Path(tempfile.mkdtemp(prefix="eas-postfix-"))
    try:
        home.chmod(0o755)
        uid, gid = 65534, 65534
        for name, owner in (("spool", None), ("data", "postfix"), ("boxes", uid)):
            (home / name).mkdir()
            if owner is not None:
                shutil.chown(home / name, owner)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        (home / "main.cf").write_text(MAIN.format(home=home, daemons=DAEMONS, uid=uid, gid=gid))
        (home / "master.cf").write_text(MASTER.format(port=port))
        postfix = Postfix(home, port)
        subprocess.run([POSTFIX, "-c", str(home), "start"], check=True, capture_output=True, timeout=START_SECONDS)
        try:
            _wait(postfix)
            yield postfix
        finally:
            subprocess.run([POSTFIX, "-c", str(home), "stop"], check=False, capture_output=True, timeout=START_SECONDS)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _wait(postfix: Postfix) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", postfix.port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"Postfix does not answer: {postfix.log}")


def is_root() -> bool:
    """Whether Postfix can be run."""
    return os.geteuid() == 0
