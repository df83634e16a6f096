"""Waiting for things to become true, with a deadline, instead of sleeping."""
import time

PATIENCE = 30.0  # how long anything may take on a busy machine, sanitizers included


def wait_until(condition, what, timeout=PATIENCE, step=0.02):
    """Poll until condition() is true; its value is returned. Says what was missing otherwise."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout} s in vain for: {what} (last: {value!r})")
        time.sleep(step)
