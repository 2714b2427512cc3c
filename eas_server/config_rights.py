"""What `[rights]` has to hold by, beside its types ([MS-ASRM] 2.2.2)."""

from eas_server.config_reading import Wrong
from eas_server.model.rights import NO_RESTRICTION, RightsSettings, RightsTemplate, normal_id
from eas_server.render.addresses import parse
from protocol.items.rights import MAX_DESCRIPTION, MAX_NAME, MAX_OWNER, MAX_TEMPLATES

MAX_DAYS = 36_500
"""A hundred years: later dates are beyond what clients can write."""


def check_rights(rights: RightsSettings) -> None:
    """Raises Wrong."""
    if len(rights.templates) > MAX_TEMPLATES:
        raise Wrong("rights.templates", f"must not be more than {MAX_TEMPLATES}")  # MS-ASRM_R304
    seen: set[str] = set()
    for number, template in enumerate(rights.templates):
        key = f"rights.templates[{number}]"
        _check_template(template, key)
        if template.key in seen:
            raise Wrong(f"{key}.id", f'"{template.id}" is there twice')
        seen.add(template.key)


def _check_template(template: RightsTemplate, key: str) -> None:
    id_ = normal_id(template.id)
    if id_ is None:
        raise Wrong(f"{key}.id", f'"{template.id}" must be a GUID: "e6f0a6a4-1b5f-4c0c-9d4e-2f6d6c1b7a55"')
    if id_ == NO_RESTRICTION:
        raise Wrong(f"{key}.id", "stands for no restriction at all: take another GUID")
    _check_texts(template, key)
    if template.export_allowed and not template.edit_allowed:
        raise Wrong(f"{key}.edit_allowed", "must be true where export_allowed is")  # MS-ASRM_R1009
    for name, days in (("expiry_days", template.expiry_days), ("license_days", template.license_days)):
        if days > MAX_DAYS:
            raise Wrong(f"{key}.{name}", f"must not be more than {MAX_DAYS}")


def _check_texts(template: RightsTemplate, key: str) -> None:
    names = {"name": template.name, **{f"names.{language}": text for language, text in template.names.items()}}
    described = {f"descriptions.{language}": text for language, text in template.descriptions.items()}
    descriptions = {"description": template.description, **described}
    for texts, most in ((names, MAX_NAME), (descriptions, MAX_DESCRIPTION)):
        for name, text in texts.items():
            if not text.strip() or len(text) > most or "\0" in text:  # MS-ASRM_R1421, R1721
                raise Wrong(f"{key}.{name}", f"must have between 1 and {most} characters")
    owner = template.content_owner
    parsed = [one.address for one in parse(owner.encode())]
    if owner and (len(owner) > MAX_OWNER or "@" not in owner or parsed != [owner]):
        raise Wrong(f"{key}.content_owner", f'"{owner[:MAX_OWNER]}" must be a mail address')
