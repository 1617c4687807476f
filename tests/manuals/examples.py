"""The EXAMPLES of the manual pages, as Markdown: what each is for, then the commands."""

EXAMPLES = {
    "sbpam": """\
Sign in once, schedule a list, look at what became of it:

```
sbpam login --server nps.example.com
sbpam schedule --credential 9c711ab3-8fc1-4d66-88d4-08f85117f32e hosts.txt
sbpam status
```

The whole job against a pretended server, with nothing to set up:

```
sbpam demo
```
""",
    "sbpam login": """\
A person: password and MFA code are asked for, and the keyring keeps what is needed later:

```
sbpam login --server nps.example.com --username 'CORP\\you'
```

A user for unattended runs, whose codes are made from a TOTP secret:

```
sbpam login --profile nightly --server nps.example.com --username 'CORP\\svc-scan' \\
    --password-file password.txt --totp-secret-file totp.txt
```

An application, with a key and a client certificate:

```
sbpam login --server nps.example.com --username sbpam-app --client-cert sbpam-app.pem \\
    --api-key-file nps-api-key
```
""",
    "sbpam schedule": """\
Check a list first, then schedule it and wait for the scans to end:

```
sbpam schedule --dry-run hosts.csv
sbpam schedule --wait --timeout 2h hosts.csv
```

A large list, with at most 2,000 hosts being scanned at any time:

```
sbpam schedule --yes --max-running 2000 hosts.csv
```

Once more what failed in the newest run:

```
sbpam status --only failed,cancelled | sbpam schedule --allow-empty -
```

From any LDAP server:

```
ldapsearch -LLL -H ldaps://dc01.corp.example -b 'OU=Servers,DC=corp,DC=example' \\
    '(objectClass=computer)' dNSHostName | sbpam schedule -
```

In a script:

```
if sbpam schedule --wait --quiet -o json hosts.txt > run.json; then
    echo "all complete"
fi
jq -r '.hosts[] | select(.status != "Complete") | .host' run.json
```
""",
    "sbpam status": """\
The newest run, followed to its end:

```
sbpam status --watch
```

A run by the beginning of its id, a job, a host:

```
sbpam status 20261123-0315
sbpam status 1f0e6ff5-3f3f-4a6c-9f50-6a7a24f7b0f1
sbpam status web01.corp.example
```

For a monitoring system: 8 while scans are going, 0 where all are Complete:

```
sbpam status --exit-status --quiet > rows.tsv
```
""",
    "sbpam resume": """\
Go on with the newest run that was cut short, or with one by its id:

```
sbpam resume
sbpam resume 20261123-0315
```

A batch is in doubt, and you found its job in the console:

```
sbpam resume --accept 1f0e6ff5-3f3f-4a6c-9f50-6a7a24f7b0f1
```
""",
    "sbpam runs": """\
Runs that are not finished:

```
sbpam runs -o tsv | awk -F '\\t' '$2 == "unfinished"'
```

What is older than a quarter of a year goes:

```
sbpam runs prune --older-than 90d
```
""",
    "sbpam cancel": """\
All jobs of a run, without being asked, and until they have ended:

```
sbpam cancel --yes --wait 20261123-0315
```
""",
    "sbpam credentials": """\
Find the service account, then schedule with it:

```
sbpam credentials scan
sbpam schedule --credential 9c711ab3-8fc1-4d66-88d4-08f85117f32e hosts.txt
```
""",
    "sbpam hosts": """\
The hosts of an organisational unit and of those below it:

```
sbpam hosts --ou 'OU=Servers,DC=corp,DC=example' --recursive | sbpam schedule --credential ID -
```
""",
    "sbpam report": """\
A page for a ticket, about the newest run:

```
sbpam report > report.html
```
""",
    "sbpam doctor": """\
Why does it fail in cron? The same line, user and settings, with `doctor` for `schedule`:

```
sudo -u scan env -i SBPAM_SERVER=nps.example.com HOME=/home/scan sbpam doctor
```
""",
    "sbpam sandbox": """\
A server that fails as a script says, for a rehearsal in another shell:

```
sbpam sandbox --port 0 --faults faults.toml
```
""",
}
