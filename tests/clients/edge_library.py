"""A device on clients/python (tidegate-edge): numbers each message that it is told to send, and obeys."""
import pathlib
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "clients/python"))

from report import ARGS, commands, say  # noqa: E402
from tidegate_edge import Edge  # noqa: E402

token = pathlib.Path(ARGS["token_file"]) if "token_file" in ARGS else ARGS.get("token")
edge = Edge(ARGS["url"], ARGS["device"], token=token, buffer=ARGS["buffer"],
            keep=ARGS.get("keep", "oldest"), **ARGS.get("limits", {}))
edge.backoff.first, edge.backoff.most = 0.05, 0.5
hold = threading.Event()


@edge.command("SET_MODE")
def set_mode(payload):
    say("obeyed", mode=payload["mode"])
    if payload["mode"] == "HANG":
        hold.wait()
    if payload["mode"] == "BREAK":
        raise RuntimeError("it broke")
    return f"mode {payload['mode']}"


with edge:
    say("started", waiting=len(edge.buffer))
    for told in commands():
        if "send" in told:
            for n in range(*told["send"]):
                edge.send({"n": n, **told.get("more", {})})
            say("sent", waiting=len(edge.buffer), dropped=edge.buffer.n_dropped)
        if "refused" in told:
            say("refused", n=edge.letters.n)
        if "flush" in told:
            say("flushed", done=edge.flush(told["flush"]))
