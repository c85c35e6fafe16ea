"""A real SLURM of one node, all of it in one folder: controller, node and munge, as processes of
the test, with nothing of the system's own configuration.

    python testing/batch/slurm.py FOLDER COMMAND …

runs a command with such a SLURM.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge")
COMMANDS = ("slurmctld", "slurmd", "sbatch", "squeue", "sinfo", "munged")
#: How long the node may take until it takes jobs (s).
START_SECONDS = 120.0
#: What the node is said to have, so that several workers run on it whatever the machine is.
CPUS, MEMORY_MB = 4, 4000


class Unavailable(Exception):
    """Why there can be no SLURM here."""


def install() -> None:
    """Install Debian's packages where they are missing.

    Raises
    ------
    Unavailable
        When that is not possible.
    """
    missing = [name for name in COMMANDS if shutil.which(name) is None]
    if not missing:
        return
    if os.name != "posix" or os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise Unavailable(f"no {missing[0]} here, and no right to install it by apt-get")
    guard = Path("/usr/sbin/policy-rc.d")
    guarded = not guard.exists()
    if guarded:  # the packages must not start services of their own
        guard.write_text("#!/bin/sh\nexit 101\n")
        guard.chmod(0o755)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        for command in (
            ["update", "-qq"],
            ["install", "-y", "-qq", "--no-install-recommends", *PACKAGES],
        ):
            done = subprocess.run(
                ["apt-get", *command], env=environment, capture_output=True, text=True, timeout=600
            )
        if done.returncode != 0:
            words = (done.stderr or done.stdout).strip().splitlines()
            raise Unavailable(f"apt-get cannot install {' '.join(PACKAGES)}: {words[-1:]}")
    except subprocess.TimeoutExpired:
        raise Unavailable("apt-get takes too long") from None
    finally:
        if guarded:
            guard.unlink()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _configuration(folder: Path, munge: Path) -> str:
    host = socket.gethostname().split(".")[0]
    return f"""
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={_free_port()}
SlurmdPort={_free_port()}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={munge}
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
ReturnToService=2
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmdSpoolDir={folder}/spool
StateSaveLocation={folder}/state
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmctldTimeout=30
SlurmdTimeout=30
KillWait=2
SchedulerParameters=sched_interval=1,batch_sched_delay=0
NodeName={host} NodeAddr=127.0.0.1 CPUs={CPUS} RealMemory={MEMORY_MB} State=UNKNOWN
PartitionName=test Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


@contextmanager
def slurm(folder: Path) -> Iterator[dict[str, str]]:
    """Run a SLURM in a folder; end every process of it when the block is left.

    Yields
    ------
    dict
        The environment in which ``sbatch`` and the others talk to it.

    Raises
    ------
    Unavailable
        When it cannot be installed or does not start.
    """
    install()
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    (folder / "munge").mkdir()
    socket_path, key = folder / "munge" / "socket", folder / "munge" / "key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o600)
    configuration = folder / "slurm.conf"
    configuration.write_text(_configuration(folder, socket_path))
    environment = {**os.environ, "SLURM_CONF": str(configuration)}
    munged = [
        "munged", "--foreground", "--force", f"--socket={socket_path}", f"--key-file={key}",
        f"--pid-file={folder}/munge/pid", f"--seed-file={folder}/munge/seed",
        f"--log-file={folder}/munge/log",
    ]  # fmt: skip
    daemons: list[subprocess.Popen[bytes]] = []
    try:
        for command in (munged, ["slurmctld", "-D"], ["slurmd", "-D"]):
            with (folder / f"{command[0]}.out").open("wb") as out:
                daemons.append(
                    subprocess.Popen(
                        command, env=environment, stdout=out, stderr=out, start_new_session=True
                    )
                )
            if command is munged:
                _wait(socket_path.exists, daemons, folder)
        _wait(lambda: "idle" in _told(["sinfo", "-h", "-o", "%T"], environment), daemons, folder)
        yield environment
    finally:
        _told(["scancel", "--user=root", "--full"], environment)
        until = time.monotonic() + 20
        while _told(["squeue", "-h"], environment) and time.monotonic() < until:
            time.sleep(0.5)
        for daemon in reversed(daemons):
            daemon.terminate()
            try:
                daemon.wait(15)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        _end_steps(folder)


def _wait(ready: object, daemons: list[subprocess.Popen[bytes]], folder: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while not ready():  # type: ignore[operator]
        ended = [daemon.args for daemon in daemons if daemon.poll() is not None]
        if ended or time.monotonic() > until:
            logs = [*folder.glob("*.out"), *folder.glob("*.log"), *folder.glob("munge/log")]
            last = {log.name: log.read_text(errors="replace")[-400:] for log in logs}
            raise Unavailable(f"SLURM does not start here ({ended or 'it takes too long'}): {last}")
        time.sleep(0.2)


def _told(command: list[str], environment: dict[str, str]) -> str:
    with suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=30, check=False
        )
        return done.stdout.strip()
    return ""


def processes_of(folder: Path) -> list[int]:
    """Return the processes that were started by this SLURM: they have its configuration."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            mine = f"SLURM_CONF={folder}/slurm.conf".encode() in (process / "environ").read_bytes()
            if mine and int(process.name) != os.getpid():
                found.append(int(process.name))
    return found


def _end_steps(folder: Path) -> None:
    """End what outlived its daemon; the command that was run with this SLURM is over by now.

    A killed process is there for a moment more, and one that was just being started comes late:
    so until none is left.
    """
    until = time.monotonic() + 20
    while (left := processes_of(folder)) and time.monotonic() < until:
        for pid in left:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.2)


if __name__ == "__main__":
    place = Path(sys.argv[1]).absolute()
    with slurm(place) as env:
        code = subprocess.call(sys.argv[2:], env=env)
    sys.exit(code)
