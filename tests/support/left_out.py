"""What Windows, or wine in its place, cannot judge: the one list, each with its reason."""

LEFT_OUT = {
    "tests/processes/test_signals.py": "signals are POSIX's",
    "tests/report/test_report_in_chromium.py": "a browser of the test's own is Debian's",
    "tests/scripts/test_demo_and_sandbox.py": "signals are POSIX's",
    "tests/system/test_terminal.py": "a terminal's mode is POSIX's",
    "test_a_crontabs_tilde_is_the_home_folder": "HOME is POSIX's",
    "test_what_is_not_absolute_is_refused[~nobody": "Windows takes any name for a user's",
    "test_the_one_that_the_user_names_comes_first[": "keyring reads its file in another folder",
}
"""Files (not collected), or parts of a test's id (skipped)."""
