"""Credentials, good and forged, and the sockets that they are tried on."""
import base64
import hashlib
import hmac
import http.client
import json
import time

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from viewers import Viewer

NATIVE = "tidegate.v1"


def new_rsa():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def new_ec():
    return ec.generate_private_key(ec.SECP256R1())


def write_public(path, *keys):
    path.write_bytes(b"".join(key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        for key in keys))
    return path


def write_secret(path, text):
    path.touch(0o600)
    path.write_text(text + "\n", "ascii")
    return path


def claims(subject, **more):
    return {"sub": str(subject), "exp": int(time.time()) + 3600, **more}


def sign(body, key, algorithm="HS256", kid=None, **header):
    return jwt.encode(body, key, algorithm, headers={**({"kid": kid} if kid else {}), **header})


def part(value):
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forge(header, body, key=b""):
    """An HMAC-SHA256 under any header, which no library would make."""
    text = f"{part(header)}.{part(body)}"
    return f"{text}.{part(hmac.new(key, text.encode(), hashlib.sha256).digest())}"


def native(gateway, token=None, path="/api/ws"):
    """A socket of the native protocol, past its welcome if it has a token."""
    viewer = Viewer(gateway, path, token, subprotocols=[NATIVE])
    if token:
        viewer.next_of("welcome")
    return viewer


def ask_from(gateway, source, method, path, body=None, headers=None):
    """(status, headers, body) of a request that comes from the address @source (127.0.0.0/8)."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30,
                                            source_address=(source, 0))
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()
