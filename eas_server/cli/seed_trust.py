"""Trust anchors of a seed: files of roots and intermediates, for all mail domains or for one."""

from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from eas_server.administration import trust
from eas_server.cli.arguments import read_file
from eas_server.cli.opening import Failed
from eas_server.cli.seed_plan import Action, Ground
from eas_server.config_reading import Wrong
from eas_server.pki.trust_files import MAX_TRUST_FILE, TrustFileError, judge, read_trust_file


async def plan_trust(ground: Ground) -> list[Action]:
    """What is to be trusted that is not yet. Raises Wrong."""
    actions: list[Action] = []
    held = {(each.collection, each.certificate) for each in await ground.store.trust.certificates()}
    now = datetime.now(UTC)
    for number, declared in enumerate(ground.seed.trust):
        key, domain = f"trust[{number}]", declared.domain.strip().lower()
        try:
            octets = read_file(declared.file, MAX_TRUST_FILE)
            found = [judge(der, now) for der in dict.fromkeys(read_trust_file(octets).certificates)]
        except (Failed, OSError, TrustFileError) as error:
            raise Wrong(f"{key}.file", f"{declared.file}: {error}") from None
        authorities = [each for each in found if each.anchor is not None]
        if not authorities:
            raise Wrong(f"{key}.file", f"{declared.file}: there is no authority in it")
        if any((domain, each.der) not in held for each in authorities):
            says = f"trust {declared.file.name}{f' for {domain}' if domain else ''}"
            actions.append(Action(says=says, do=partial(_take, ground, domain, declared.file, octets)))
    return actions


async def _take(ground: Ground, domain: str, file: Path, octets: bytes) -> None:
    await trust.take(ground.store.trust, domain, [(file.name, octets)], datetime.now(UTC))
