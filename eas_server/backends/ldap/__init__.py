"""LDAP: people and groups, and sign-in by bind."""

from eas_server.backends.ldap.authenticator import LdapAuthenticator
from eas_server.backends.ldap.directory import LdapDirectory
from eas_server.backends.ldap.pool import LdapPool
from eas_server.backends.ldap.settings import LdapSettings

__all__ = ["LdapAuthenticator", "LdapDirectory", "LdapPool", "LdapSettings"]
