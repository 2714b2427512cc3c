"""`python -m benchmarks [WORK …]`: run the workloads and print the table."""

import argparse
import asyncio
import os
import platform
import resource
import sys

from benchmarks.work import WORK


def main() -> None:
    """One server process, the load from this one, on this machine's loopback."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("work", nargs="*", choices=[*WORK, []], help="which workloads; all of them when left out")
    chosen = parser.parse_args().work or list(WORK)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    print(f"{platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} cores\n")
    print("| work | target | measured | |\n|---|---|---|---|")
    for name in chosen:
        print(f"{name} …", file=sys.stderr)
        for result in asyncio.run(WORK[name]()):
            print(f"| {result.work} | {result.target} | {result.measured} | {'; '.join(result.notes)} |", flush=True)


if __name__ == "__main__":
    main()
