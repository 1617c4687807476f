"""`config`: a profile's settings, shown and changed without signing in."""

import pytest
from support.person import NOMFA, Person
from support.site import Program

PIN = "ab" * 32


def test_set_makes_the_profile_and_get_prints_the_value_alone(program: Program) -> None:
    for key, given, kept in [
        ("server", "NPS.corp.example", "https://nps.corp.example:6500"),
        ("method", "application", "application"),
        ("username", "CORP\\ops\r", "CORP\\ops"),
        ("credential", "svc scan", "svc scan"),
        ("output", "csv", "csv"),
        ("ca_bundle", "/etc/ca.pem", "/etc/ca.pem"),
        ("fingerprint", PIN.upper(), PIN),
        ("client_cert", "/etc/app.pem", "/etc/app.pem"),
        ("client_key", "/etc/app.key", "/etc/app.key"),
        ("insecure", "true", "true"),
    ]:
        where = ("--profile", "night")
        ended = program("config", "set", key, given, *where)
        assert (ended.code, ended.out, ended.err) == (0, "", "")
        assert program("config", "get", key, *where, "-o", "tsv").out == f"{kept}\n"
        [row] = program("config", "get", key, *where, "-o", "json").json()["config"]
        assert row == {"key": key, "value": kept, "source": "profile"}
        assert program("config", "unset", key, *where).code == 0
        assert kept not in program("config", "list", *where).out


def test_list_tells_where_each_setting_in_force_comes_from(program: Program) -> None:
    program("config", "set", "server", "nps")
    program("config", "set", "credential", "svc")
    env = {"SBPAM_CREDENTIAL": "other", "SBPAM_TOKEN_FILE": "/token"}
    for words in (["config"], ["config", "list"]):
        assert program(*words, env=env).rows() == [
            ["server", "https://nps:6500", "profile"],
            ["method", "token", "SBPAM_TOKEN_FILE"],
            ["username", "", ""],
            ["credential", "other", "SBPAM_CREDENTIAL"],
            ["output", "", ""],
            ["ca_bundle", "", ""],
            ["fingerprint", "", ""],
            ["client_cert", "", ""],
            ["client_key", "", ""],
            ["insecure", "false", "default"],
        ]
    ended = program("config", "get", "credential", env={"SBPAM_SERVER": "other"})
    assert (ended.code, "not of this server: https://other:6500" in ended.err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["get", "username"], "username is not set"),
        (["get", "password"], "'password' is not one of"),
        (["set", "server", "http://nps"], "server: 'http://nps' is not HOST"),
        (["set", "method", "tokn"], "did you mean token?"),
        (["set", "output", "xml"], "output: there is no output 'xml'"),
        (["set", "insecure", "yes"], "true, false"),
        (["set", "fingerprint", "abc"], "not the SHA-256"),
        (["set", "username", "jo\udce9"], "characters that cannot be part of it"),
        (["set", "ca_bundle", "caf\udce9.pem"], "not UTF-8"),
        (["set", "server", "nps", "--insecure"], "no such option"),
        (["set", "server", "nps", "--ca-bundle", "x"], "takes no other setting"),
        (["set", "server", "nps", "--profile", "a b"], "cannot be the name of a profile"),
        (["unset", "server", "--profile", "nobody"], "no profile 'nobody'"),
        (["list", "--profile", "nobody"], "no profile 'nobody'"),
        (["--profile", "night", "set", "server", "nps"], "options stand after the command"),
    ],
)
def test_what_cannot_be_a_setting_changes_nothing(
    program: Program, arguments: list[str], words: str
) -> None:
    ended = program("config", *arguments).expect(2)
    assert words.lower() in ended.err.lower()
    assert not (program.folder / "config").exists()


def test_what_was_trusted_of_one_server_is_not_of_another(program: Program) -> None:
    program("config", "set", "server", "one")
    program("config", "set", "insecure", "true")
    ended = program("config", "set", "server", "two")
    assert "what was trusted of https://one:6500 no longer is" in ended.err
    assert program("config", "get", "insecure").out == "false\n"
    program("config", "set", "insecure", "true")
    program("config", "set", "fingerprint", PIN)
    assert program("config", "get", "insecure").out == "false\n"


def test_another_user_does_not_inherit_the_stored_secrets(person: Person) -> None:
    person.login()
    person.login("--profile", "other")
    assert person("config", "set", "credential", "svc").code == 0
    assert person("config", "set", "username", NOMFA).code == 0
    assert set(person.kept()) == {"token", "password"}
    changed = person("config", "set", "username", "CORP\\ann")
    changed.expect(0, "forgot the secrets of profile default")
    assert person.kept() == {}
    assert set(person.kept("other")) == {"token", "password"}


def test_the_form_of_output_is_the_profiles_unless_it_is_said(person: Person) -> None:
    person("config", "set", "output", "json")
    assert person.login(terminal=False).json()["command"] == "login"
    assert person.site.profiles()["default"]["output"] == "json"
    assert person("whoami").json()["exit_code"] == 0
    assert person("whoami", "-o", "tsv").rows()[0][0] == "default"
    assert person("whoami", env={"SBPAM_OUTPUT": "csv"}).out.startswith("profile,server")
    person.site.config.write_text("[profiles.default\n")
    assert person("runs").code == 0
    assert person("whoami").code == 2
