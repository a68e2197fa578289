"""A stand-in for sbatch, srun, squeue and scancel, for tests: jobs are processes of this machine.

It is called by the name of the command. STAND_IN_SLURM is its folder: a file a job with the pid of
its script, or nothing while it waits (`held` is there), and `says`, what sbatch answers instead.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

HOME = Path(os.environ["STAND_IN_SLURM"])


def main(name: str, words: list[str]) -> int:
    return {"sbatch": sbatch, "srun": srun, "squeue": squeue, "scancel": scancel}[name](words)


def sbatch(words: list[str]) -> int:
    says = HOME / "says"
    number = str(len(list(HOME.glob("*.sh"))) + 1)
    script = Path(words[-1]).read_text().replace("%j", number)
    (HOME / f"{number}.sh").write_text(script)
    if not (HOME / "held").exists():
        begin(number)
    if says.exists():
        sys.stderr.write(says.read_text())
        return 1
    print(f"Submitted batch job {number}")
    return 0


def begin(number: str) -> None:
    job = subprocess.Popen(
        ["bash", str(HOME / f"{number}.sh")],
        env={**os.environ, "SLURM_JOB_ID": number},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    (HOME / f"{number}.pid").write_text(str(job.pid))


def srun(words: list[str]) -> int:
    """Run a step: submitit's command, with its logs where it wants them."""
    number, at = os.environ["SLURM_JOB_ID"], words.index("--error") + 2
    step = {"SLURM_JOB_NUM_NODES": "1", "SLURM_NTASKS": "1", "SLURM_JOB_NODELIST": "localhost"}
    step |= {"SLURM_NODEID": "0", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}
    logs = [words[words.index(way) + 1] for way in ("--output", "--error")]
    out, err = (Path(log.replace("%j", number).replace("%t", "0")) for log in logs)
    with out.open("ab") as said, err.open("ab") as wrong:
        done = subprocess.run(
            words[at:], env={**os.environ, **step}, stdout=said, stderr=wrong, check=False
        )
    return done.returncode


def squeue(words: list[str]) -> int:
    number = words[words.index("--jobs") + 1]
    if not (HOME / f"{number}.sh").exists():
        sys.stderr.write("slurm_load_jobs error: Invalid job id specified\n")
        return 1
    pid = HOME / f"{number}.pid"
    if not pid.exists():
        print("PENDING")
    elif alive(int(pid.read_text())):
        print("RUNNING")
    return 0


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()


def scancel(words: list[str]) -> int:
    pid = HOME / f"{words[0]}.pid"
    if pid.exists() and alive(int(pid.read_text())):
        os.killpg(int(pid.read_text()), signal.SIGTERM)
    elif not pid.exists():
        pid.write_text("999999999")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).name, sys.argv[2:]))
