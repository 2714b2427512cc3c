"""LDAP: people and groups, sign-in by bind, certificates written."""

from eas_server.backends.ldap.authenticator import LdapAuthenticator
from eas_server.backends.ldap.directory import LdapDirectory
from eas_server.backends.ldap.pool import LdapPool
from eas_server.backends.ldap.publisher import (
    AttributeChange,
    CertificateValues,
    LdapPublisher,
    Publication,
    PublicationRefused,
)
from eas_server.backends.ldap.settings import LdapSettings

__all__ = [
    "AttributeChange",
    "CertificateValues",
    "LdapAuthenticator",
    "LdapDirectory",
    "LdapPool",
    "LdapPublisher",
    "LdapSettings",
    "Publication",
    "PublicationRefused",
]
