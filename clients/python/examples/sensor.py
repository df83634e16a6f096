#!/usr/bin/python3
"""Sends a temperature each second, and sets how often when it is told to."""
import os
import time

from tidegate_edge import Edge

edge = Edge(os.environ["TIDEGATE_URL"], os.environ["TIDEGATE_DEVICE"],
            token=os.environ.get("TIDEGATE_TOKEN"), buffer=os.environ["TIDEGATE_BUFFER"])
interval = float(os.environ.get("TIDEGATE_INTERVAL", "1"))


@edge.command("SET_INTERVAL")
def set_interval(payload):
    global interval
    interval = float(payload["seconds"])
    return f"every {interval} s"


with edge:
    while True:
        with open("/proc/loadavg", encoding="ascii") as load:
            edge.send({"load": float(load.read().split()[0])})
        time.sleep(interval)
