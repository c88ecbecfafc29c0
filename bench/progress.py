import sys
import time

BEGAN = time.monotonic()


def tell(text: str) -> None:
    """What is being done now, on standard error, with the seconds since the beginning."""
    print(f"{time.monotonic() - BEGAN:6.0f} s  {text}", file=sys.stderr, flush=True)
