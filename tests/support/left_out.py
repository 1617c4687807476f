"""What Windows, or wine in its place, cannot judge: the one list, each with its reason."""

_SHELLS = "its programs are Debian's"
_SIGNALS = "signals are POSIX's"
_TERMINAL = "pseudo-terminals and their modes are POSIX's"
_FILES = "modes, pipes, devices and names of files are POSIX's"
_PURE = "rules that touch no file, console or clock; sockets and files are tried elsewhere"
_DEAR = "dozens of starts, each dear under wine, for nothing that Windows has a say in"
_SLOW_KEYRING = "under wine keyring's modules alone can take the 3 s that it is given"

LEFT_OUT = {
    "tests/architecture/": "it judges the source",
    "tests/contracts/test_no_secret_leaks.py": _PURE,
    "tests/hosts/test_names.py": _PURE,
    "tests/hosts/test_program_lists.py": _PURE,
    "tests/hosts/test_tables.py": _PURE,
    "tests/hosts/test_tallies.py": _PURE,
    "tests/journal/test_odd_values.py": _PURE,
    "tests/lookups/": _PURE,
    "tests/nps/test_arbitrary_replies.py": _PURE,
    "tests/nps/test_failed_answers.py": _PURE,
    "tests/nps/test_job_lists.py": _PURE,
    "tests/nps/test_server_words.py": _PURE,
    "tests/nps/test_times_and_tokens.py": _PURE,
    "tests/processes/test_write_ahead_order.py": "strace is Linux's",
    "tests/runs/test_answers.py": _PURE,
    "tests/runs/test_situations.py": _PURE,
    "tests/settings/test_addresses.py": _PURE,
    "tests/settings/test_secret_service.py": "the Secret Service is a Linux desktop's",
    "tests/completions/test_completion_in_shells.py": _SHELLS,
    "tests/processes/test_signals.py": _SIGNALS,
    "tests/readme/test_readme_recipes.py": _SHELLS,
    "tests/report/test_report_in_chromium.py": _SHELLS,
    "tests/scripts/test_demo_and_sandbox.py": _SIGNALS,
    "tests/scripts/test_real_terminal.py": _TERMINAL,
    "tests/signin/test_unattended.py": _SHELLS,
    "tests/system/test_terminal.py": _TERMINAL,
    "tests/torture/": "its processes are forked",
    "test_set_makes_the_profile_and_get_prints": _FILES,
    "test_a_signal_leaves_the_rest_unasked": _SIGNALS,
    "test_times_are_local": "there is no TZ",
    "test_differences_from_a_terminal": "HOME is POSIX's",
    "test_a_crontabs_tilde_is_the_home_folder": "HOME is POSIX's",
    "test_what_is_not_absolute_is_refused[~nobody": "Windows takes any name for a user's",
    "test_the_one_that_the_user_names_comes_first[": "keyring reads its file in another folder",
    "test_odd_sizes[": "rich leaves the last column of an old console free",
    "test_the_program_alone_shows_its_help": "rich draws an old console's frames in ASCII",
    "::test_version": _SHELLS,
    "test_invalid_names_are_skipped_and_named": "the test's own file names hold backslashes",
    "test_login_keeps_paths_in_the_profile": "the test's own file names hold backslashes",
    "test_another_certificate_leaves_the_profiles_key": "the test's own names hold backslashes",
    "test_what_a_password_file_may_be": _FILES,
    "test_a_config_that_cannot_be_written_is_found": _FILES,
    "test_controls_never_reach_a_question": _FILES,
    "test_a_folder_whose_name_is_not_utf_8_is_fine": _FILES,
    "test_a_post_without_a_length_is_refused": "a reset overtakes the answer",
    "test_a_certificate_that_the_server_does_not_know_is_named": "a reset overtakes the alert",
    "test_an_unknown_ca_is_not_trusted": "wine finds no IP address in a certificate",
    "test_a_list_from_the_field[": _PURE,
    "test_only_well_formed_words_are_offered": _DEAR,
    "test_damaged_journal_is_named_and_left_alone[header": _DEAR,
    "test_damaged_journal_is_named_and_left_alone[pages": _DEAR,
    "test_a_back_end_that_asks_reads_no_stdin": _SLOW_KEYRING,
    "test_two_jobs_renew_a_stored_token_once": _SLOW_KEYRING,
    "test_the_scripts_are_what_the_program_makes": _SHELLS,
    "test_what_cannot_be_set_up": _SHELLS,
    "test_one_of_two_starts_of_one_list_works": "under wine a start takes longer than the run",
}
"""Files and folders (not collected), or parts of a test's id (skipped)."""
