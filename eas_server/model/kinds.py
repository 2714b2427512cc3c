"""What a mail folder holds beside mail: text messages, of which a client gets none unless it asks for them."""

from dataclasses import dataclass
from typing import Final

TEXT_MESSAGE: Final = "IPM.Note.Mobile.SMS"
"""The MessageClass of a text message."""

TEXT_MESSAGE_WORD: Final = "ipmnotemobilesms"
"""By this word a search finds all text messages. It may find a mail with it too: the MessageClass decides."""


def is_text_message(message_class: str) -> bool:
    """Whether an item of that MessageClass belongs to the class SMS."""
    return message_class.upper().startswith(TEXT_MESSAGE.upper())


@dataclass(frozen=True, slots=True, kw_only=True)
class Kinds:
    """What a client wants of a mail folder: the classes that its Options name ([MS-ASCMD] 2.2.3.27.6)."""

    mail: bool = True
    sms: bool = False

    def wants(self, message_class: str) -> bool:
        """Whether an item of that MessageClass is for the client."""
        return self.sms if is_text_message(message_class) else self.mail

    def lacks(self, other: "Kinds") -> bool:
        """Whether `other` has a class that these do not have."""
        return (other.mail and not self.mail) or (other.sms and not self.sms)


MAIL_ALONE: Final = Kinds()
"""Without Options the folder's own class is meant (MS-ASCMD_R931)."""
