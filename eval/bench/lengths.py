"""What ``asteroid-karaoke separate`` costs as a whole process, for songs of several lengths.

    PYTHONPATH=. python eval/bench/lengths.py -o eval/results/lengths
    PYTHONPATH=. python eval/bench/lengths.py --seconds 10 180 --model my.pth

The songs are made here: a chord that comes and goes, with noise, over and over. Each row is a
process of its own, as a user starts it, reading and writing flac: CPU seconds of all its threads,
wall seconds, and the most memory it ever had, all as the system counts them. "Ready" is when the
model is there, from the process' start; "first block" when the first block's results are. The goals
on two cores: a 4-minute song in 0.05 of its length, the first block within 3 s, a 60-minute song
below 700 MB and within 5 % of a 3-minute one.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import soundfile

from eval.bench import backends, record

RATE = 44100
HEADING = """# Length of the song against memory and time

`asteroid-karaoke separate song.flac`, a process a row: eval/bench/lengths.py says what is counted.
CPU seconds are of all threads. Times of a machine that does other work are upper bounds."""
COLUMNS = {
    "song, s": lambda row: f"{row['seconds']:g}",
    "threads": lambda row: f"{row['threads']}",
    "CPU, s": lambda row: f"{row['cpu']:.1f}",
    "wall, s": lambda row: f"{row['wall']:.1f}",
    "CPU-s/s": lambda row: f"{row['cpu'] / row['seconds']:.3f}",
    "wall-s/s": lambda row: f"{row['wall'] / row['seconds']:.3f}",
    "ready, s": lambda row: f"{row['ready']:.1f}",
    "first block, s": lambda row: f"{row['first']:.1f}",
    "peak memory, MB": lambda row: f"{row['memory']:.0f}",
}


def main() -> None:
    """Measure each length and leave a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", nargs="+", type=float, default=[10, 180, 240, 3600])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--model", help="as `separate --model` (default: as there)")
    args = record.options(parser)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for seconds in args.seconds:
            song = Path(folder, "song.flac")
            synthesise(song, seconds)
            rows.append({"seconds": seconds, **measure(song, args.threads, args.model)})
            print(record.markdown(COLUMNS, rows[-1:]).splitlines()[-1], flush=True)
    table = record.markdown(COLUMNS, rows)
    print(table)
    if args.output:
        record.leave(args.output, HEADING, table, rows)


def synthesise(path: Path, seconds: float) -> None:
    """Write a song of any length."""
    pattern = backends.tones(RATE).T
    left = round(seconds * RATE)
    with soundfile.SoundFile(path, "w", RATE, 2, "PCM_16") as file:
        while left:
            file.write(pattern[:left])
            left -= min(left, len(pattern))


def measure(song: Path, threads: int, model: str | None) -> dict[str, float]:
    """Separate a song in a new process; what that took."""
    command = [sys.executable, "-m", "asteroid_karaoke.cli", "separate", str(song), "--overwrite"]
    command += ["-o", str(song.parent / "out"), *(["--model", model] if model else [])]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONUNBUFFERED": "1"}
    begin = time.monotonic()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    # Its first lines: the model, and how long the song will take, said after the first block.
    times = [time.monotonic() - begin for _ in process.stdout]
    _, status, used = os.wait4(process.pid, 0)
    wall = time.monotonic() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    if process.returncode or len(times) < 3:
        raise SystemExit(f"{' '.join(command)} failed")
    return {
        "threads": threads,
        "cpu": used.ru_utime + used.ru_stime,
        "wall": wall,
        "ready": times[0],
        "first": times[1],
        # In kB on Linux.
        "memory": used.ru_maxrss / 1024,
    }


if __name__ == "__main__":
    main()
