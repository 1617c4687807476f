from sbpam_cli.commands.options import CREDENTIAL, flag, option, with_common
from sbpam_cli.models import Method
from sbpam_cli.output.columns import LOGIN
from sbpam_cli.output.context import Context

_APPLICATION, _KEPT = "An application", "What is kept"


@with_common(LOGIN)
def login(
    ctx: Context,
    method: Method | None = option(
        None, "password, application or token; default: what the other options fit.", "METHOD"
    ),
    username: str | None = option(
        None, "The user, DOMAIN\\user, or the application (SBPAM_USERNAME).", "NAME"
    ),
    password_file: str | None = option(None, "A file with the password.", "FILE"),
    password_stdin: bool = flag("The password comes from stdin."),
    code: str | None = option(None, "The MFA code, or a word such as push.", "CODE"),
    totp_secret_file: str | None = option(
        None, "A file with the TOTP secret, to make codes from now on.", "FILE"
    ),
    totp: bool = flag("Ask for the TOTP secret, to make codes from now on."),
    token_file: str | None = option(None, "A file with a ready token.", "FILE"),
    token_stdin: bool = flag("A ready token comes from stdin."),
    credential: str | None = CREDENTIAL,
    client_cert: str | None = option(
        None, "Its certificate, PEM or PKCS#12 (SBPAM_CLIENT_CERT).", "FILE", panel=_APPLICATION
    ),
    client_key: str | None = option(
        None,
        "Its private key, if in a file of its own (SBPAM_CLIENT_KEY).",
        "FILE",
        panel=_APPLICATION,
    ),
    api_key_file: str | None = option(None, "A file with its API key.", "FILE", panel=_APPLICATION),
    api_key_stdin: bool = flag("The API key comes from stdin.", panel=_APPLICATION),
    insecure: bool = flag("Do not verify TLS, for this profile only.", panel=_KEPT),
    no_store: bool = flag("Keep nothing in the keyring; the profile is written.", panel=_KEPT),
    print_token: bool = flag(
        "Print the token, for SBPAM_TOKEN, and keep nothing at all.", panel=_KEPT
    ),
    no_store_password: bool = flag("Keep only the token in the keyring.", panel=_KEPT),
) -> None:
    """Signs in, keeps the secrets in the keyring and the server in a profile.

    On a terminal, what is missing is asked for, the server first.

    Examples:
      sbpam login --server nps.example.com
      sbpam login --profile nightly --username "CORP\\svc-scan" \\
          --password-file password.txt --totp-secret-file totp.txt
      sbpam login --username sbpam-app --client-cert app.pem --api-key-file key.txt
    """
    from sbpam_cli.settings.environment import SecretName
    from sbpam_cli.signin.login import LoginOptions, run_login

    files: dict[SecretName, str | None] = {
        "password": password_file,
        "totp-secret": totp_secret_file,
        "api-key": api_key_file,
        "token": token_file,
    }
    stdin: dict[SecretName, bool] = {
        "password": password_stdin,
        "api-key": api_key_stdin,
        "token": token_stdin,
    }
    ctx.connection = ctx.connection._replace(
        username=username,
        credential=credential,
        client_cert=client_cert,
        client_key=client_key,
        insecure=insecure,
    )
    options = LoginOptions(
        method=method,
        code=code,
        files={name: path for name, path in files.items() if path},
        stdin=tuple(name for name, given in stdin.items() if given),
        ask_totp=totp,
        store=not no_store,
        store_password=not no_store_password,
        print_token=print_token,
    )
    if print_token:
        ctx.printer.row_set = LOGIN._replace(columns=("token",))
    run_login(ctx, options)
