"""The files of a throw-away Postfix: its settings, its services, its queue."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

_PRIVATE_QUEUES = (
    *("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming"),
    *("private", "saved", "trace"),
)

_MASTER_CF = """\
127.0.0.1:{port} inet n - n - - smtpd
127.0.0.1:{reinjection_port} inet n - n - - smtpd
  -o smtpd_milters= -o receive_override_options=no_milters
pickup    unix n - n 60    1 pickup
cleanup   unix n - n -     0 cleanup
qmgr      unix n - n 300   1 qmgr
tlsmgr    unix - - n 1000? 1 tlsmgr
rewrite   unix - - n -     - trivial-rewrite
bounce    unix - - n -     0 bounce
defer     unix - - n -     0 bounce
trace     unix - - n -     0 bounce
flush     unix n - n 1000? 0 flush
proxymap  unix - - n -     - proxymap
smtp      unix - - n -     - smtp
relay     unix - - n -     - smtp
showq     unix n - n -     - showq
error     unix - - n -     - error
retry     unix - - n -     - error
discard   unix - - n -     - discard
anvil     unix - - n -     1 anvil
scache    unix - - n -     1 scache
postlog   unix-dgram n - n - 1 postlogd
"""


def base_settings(directory: Path, relay_port: int) -> dict[str, str]:
    """The main.cf settings of a Postfix in this directory that relays to a port on 127.0.0.1."""
    return {
        "compatibility_level": "3.6",
        "queue_directory": f"{directory}/queue",
        "data_directory": f"{directory}/data",
        "maillog_file": f"{directory}/maillog",
        "maillog_file_prefixes": f"{directory}",
        "myhostname": "mta.example",
        "mydestination": "",
        "alias_maps": "",
        "alias_database": "",
        "inet_interfaces": "127.0.0.1",
        "inet_protocols": "all",
        "mynetworks": "127.0.0.0/8",
        "relayhost": f"[127.0.0.1]:{relay_port}",
        "default_transport": "smtp",
        # Postfix insists on a list that could refuse a stranger.
        "smtpd_relay_restrictions": "check_client_access static:permit, reject",
        "smtpd_authorized_xclient_hosts": "127.0.0.0/8",
        "smtpd_error_sleep_time": "0",
        "smtputf8_enable": "yes",
        # Mail leaves as it came: no headers are added for clients on this machine, and long
        # lines are not broken.
        "local_header_rewrite_clients": "",
        "smtp_line_length_limit": "0",
        "in_flow_delay": "0",
        "milter_default_action": "tempfail",
        "milter_connect_timeout": "10s",
        "milter_command_timeout": "20s",
        "milter_content_timeout": "20s",
    }


def write_configuration(
    config: Path, settings: Mapping[str, str], *, port: int, reinjection_port: int
) -> None:
    """Write main.cf and master.cf; the second port takes mail past every filter."""
    config.mkdir(exist_ok=True)
    main_cf = config / "main.cf"
    main_cf.write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
    # Every daemon waits while this file is younger than a few seconds: it may be half written.
    os.utime(main_cf, (0, 0))
    master_cf = _MASTER_CF.format(port=port, reinjection_port=reinjection_port)
    (config / "master.cf").write_text(master_cf)


def make_queue(directory: Path) -> None:
    """Make the directories of postfix-files(5), with its owners and modes."""
    queue = directory / "queue"
    for name, owner, group, mode in (
        *((name, "postfix", "root", 0o700) for name in _PRIVATE_QUEUES),
        ("maildrop", "postfix", "postdrop", 0o730),
        ("public", "postfix", "postdrop", 0o710),
        ("pid", "root", "root", 0o755),
        ("../data", "postfix", "root", 0o700),
    ):
        path = queue / name
        path.mkdir(parents=True)
        shutil.chown(path, owner, group)
        path.chmod(mode)
