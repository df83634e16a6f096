"""What stands before a gateway: nginx and HAProxy as docs/operations.md sets them up, and the headers
that a proxy of the PROXY protocol would send."""
import contextlib
import socket
import struct
import subprocess

from servers import die_with_parent, free_port
from waiting import PATIENCE, wait_until

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


def preface(source, command=0x21, more=b""):
    """A header of the PROXY protocol, version 2, for a client at @source."""
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    address = socket.inet_pton(family, source)
    body = address + address + struct.pack(">HH", 40000, 443) + more
    kind = 0x21 if family == socket.AF_INET6 else 0x11
    return SIGNATURE + struct.pack(">BBH", command, kind, len(body)) + body


NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr warn;
events {{ worker_connections 256; }}
http {{
    access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    map $http_upgrade $connection_upgrade {{ default upgrade; "" ""; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://127.0.0.1:{gateway};
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto https;
            proxy_read_timeout 90s;
            proxy_buffering off;
        }}
    }}
}}
"""

# The same without TLS and under a prefix, which nginx takes away.
NGINX_PREFIX = NGINX.replace("""        location / {{
            proxy_pass http://127.0.0.1:{gateway};
""", """        location = /livez {{ proxy_pass http://127.0.0.1:{gateway}; }}
        location = /fleet {{ return 301 $scheme://$http_host/fleet/; }}
        location /fleet/ {{
            proxy_pass http://127.0.0.1:{gateway}/;
""").replace("X-Forwarded-Proto https", "X-Forwarded-Proto $scheme")

HAPROXY = """
global
    log stderr local0 notice
defaults
    timeout connect 5s
    timeout client 90s
    timeout server 90s
"""

HAPROXY_HTTP = HAPROXY + """
frontend web
    mode http
    bind 127.0.0.1:{port}
    option forwardfor
    http-request set-header X-Forwarded-Proto https
    default_backend tidegate
backend tidegate
    mode http
    option httpchk GET /livez
    server one 127.0.0.1:{gateway} check inter 200ms
"""

HAPROXY_TCP = HAPROXY + """
listen web
    mode tcp
    bind 127.0.0.1:{port}
    option httpchk GET /livez
    server one 127.0.0.1:{gateway} send-proxy-v2 check check-send-proxy inter 200ms
"""


class Proxy:
    """A real one, before a gateway. `port` is where clients connect."""

    def __init__(self, folder, gateway, program, text):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        conf = folder / f"{program}.conf"
        conf.write_text(text.format(folder=folder, port=self.port, gateway=gateway.port), "ascii")
        command = {"nginx": ["/usr/sbin/nginx", "-p", folder, "-c", conf],
                   "haproxy": ["/usr/sbin/haproxy", "-db", "-f", conf]}[program]
        with open(folder / f"{program}.log", "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log,
                                            preexec_fn=die_with_parent)
        wait_until(self.answers, f"{program} to reach the gateway")

    def answers(self):
        with contextlib.suppress(OSError):
            with socket.create_connection(("127.0.0.1", self.port), 5) as s:
                s.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                return s.recv(64).startswith(b"HTTP/1.1 200")
        return False

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE)
