"""`eas-server policy`, with policies of mail domains."""


def test_the_policies_of_domains_are_listed(shell):
    with (shell.folder / "eas-server.toml").open("a") as file:
        file.write('\n[policies.mail]\ndomains = ["example.com"]\n')
    head, *rows = shell("policy", "list").splitlines()
    assert head.split()[-1] == "DOMAINS"
    assert [row.split()[-1] for row in rows] == ["-", "example.com"]
