"""Rights management, [MS-ASRM]: the license that comes with a protected message, and the templates to protect with."""

from datetime import UTC, datetime
from typing import Final

from protocol.schema import el, element

MAX_NAME: Final = 256
"""Characters of TemplateName (MS-ASRM_R177, R182)."""
MAX_DESCRIPTION: Final = 10240
"""Characters of TemplateDescription (MS-ASRM_R147, R152)."""
MAX_OWNER: Final = 320
"""Characters of ContentOwner (MS-ASRM_R34)."""
MAX_TEMPLATES: Final = 20
"""Templates in one answer (MS-ASRM_R304)."""
NEVER: Final = datetime(9999, 12, 30, 23, 59, 59, 999000, tzinfo=UTC)
"""The ContentExpiryDate of a license that has none (MS-ASRM_R23)."""


@element("RightsManagement:RightsManagementLicense")
class License:
    """[MS-ASRM] 2.2.2.14: what the user may do with a message. All elements are required (MS-ASRM_R284 to R298)."""

    owner: bool = el("RightsManagement:Owner")
    content_owner: str = el("RightsManagement:ContentOwner", max_length=MAX_OWNER)
    reply_all_allowed: bool = el("RightsManagement:ReplyAllAllowed")
    edit_allowed: bool = el("RightsManagement:EditAllowed")
    reply_allowed: bool = el("RightsManagement:ReplyAllowed")
    forward_allowed: bool = el("RightsManagement:ForwardAllowed")
    export_allowed: bool = el("RightsManagement:ExportAllowed")
    modify_recipients_allowed: bool = el("RightsManagement:ModifyRecipientsAllowed")
    template_id: str = el("RightsManagement:TemplateID")
    extract_allowed: bool = el("RightsManagement:ExtractAllowed")
    template_description: str = el("RightsManagement:TemplateDescription", max_length=MAX_DESCRIPTION)
    content_expiry_date: datetime = el("RightsManagement:ContentExpiryDate")
    template_name: str = el("RightsManagement:TemplateName", max_length=MAX_NAME)
    print_allowed: bool = el("RightsManagement:PrintAllowed")
    programmatic_access_allowed: bool = el("RightsManagement:ProgrammaticAccessAllowed")


@element("RightsManagement:RightsManagementTemplate")
class Template:
    """[MS-ASRM] 2.2.2.16: a template as a client offers it."""

    template_id: str = el("RightsManagement:TemplateID")
    template_name: str = el("RightsManagement:TemplateName", max_length=MAX_NAME)
    template_description: str = el("RightsManagement:TemplateDescription", max_length=MAX_DESCRIPTION)


@element("RightsManagement:RightsManagementTemplates")
class Templates:
    """[MS-ASRM] 2.2.2.17: those that the server has."""

    templates: tuple[Template, ...] = el(default=())
