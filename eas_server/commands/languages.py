"""Which language a client wants to read (MS-ASRM_R204, R656): by Locale or by Accept-Language."""

import locale
import re
from typing import Final

MAX_LANGUAGES: Final = 20
"""How many are looked at."""

_RANGE: Final = re.compile(r"([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)(?:\s*;\s*q\s*=\s*([01](?:\.[0-9]{0,3})?))?")


def languages(lcid: int | None, accept_language: str) -> tuple[str, ...]:
    """Language tags in lower case, best first; none where the client does not say.

    `lcid` is the Locale of a base64 query line ([MS-ASHTTP] 2.2.1.1.1.1), an MS-LCID; a plain one has the header.
    """
    if lcid is not None:
        name = locale.windows_locale.get(lcid, "")
        return (name.replace("_", "-").lower(),) if name else ()
    found: list[tuple[float, str]] = []
    for item in accept_language.split(",")[:MAX_LANGUAGES]:
        match = _RANGE.fullmatch(item.strip())
        quality = float(match[2] or 1) if match else 0.0
        if match and quality > 0:
            found.append((quality, match[1].lower()))
    return tuple(name for _, name in sorted(found, key=lambda each: -each[0]))
