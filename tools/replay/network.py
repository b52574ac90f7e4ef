"""A network like compose's: a namespace, an address and a name for each service, all inside one namespace of ours."""

from __future__ import annotations

import ctypes
import socket
import struct
import subprocess
import sys
from pathlib import Path

_NEW_NETWORK = 0x40000000  # CLONE_NEWNET
SUBNET = "10.77.0."
DNS = "127.0.0.11"
"""Where Docker's name service listens in every container; HAProxy asks it by this address."""


def prepare(names: list[str], folder: Path) -> dict[str, str]:
    """Leave this computer's network for one of our own, with a bridge and a namespace for each name.

    Returns addresses by name. Mounts, too, have to be in a namespace of our own already. Raises OSError.
    """
    if ctypes.CDLL(None, use_errno=True).unshare(_NEW_NETWORK) != 0:
        raise OSError(ctypes.get_errno(), "no network namespace can be made here")
    _do("mount", "--make-rprivate", "/")
    Path("/run/netns").mkdir(exist_ok=True)
    _do("mount", "-t", "tmpfs", "names", "/run/netns")
    _do("ip", "link", "set", "lo", "up")
    _do("ip", "link", "add", "bridge", "type", "bridge")
    _do("ip", "addr", "add", f"{SUBNET}1/24", "dev", "bridge")
    _do("ip", "link", "set", "bridge", "up")
    addresses = {name: f"{SUBNET}{number}" for number, name in enumerate(names, start=10)}
    for number, (name, address) in enumerate(addresses.items()):
        _do("ip", "netns", "add", name)
        _do("ip", "link", "add", f"v{number}", "type", "veth", "peer", "name", "eth0", "netns", name)
        _do("ip", "link", "set", f"v{number}", "master", "bridge", "up")
        _do("ip", "-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
        _do("ip", "-n", name, "link", "set", "eth0", "up")
        _do("ip", "-n", name, "link", "set", "lo", "up")
    lines = ["127.0.0.1 localhost", *(f"{address} {name}" for name, address in addresses.items())]
    (folder / "hosts").write_text("\n".join(lines) + "\n", encoding="ascii")
    _do("mount", "--bind", str(folder / "hosts"), "/etc/hosts")
    return addresses


def _do(*command: str) -> None:
    subprocess.run(command, check=True)


def answer(query: bytes, addresses: dict[str, str]) -> bytes:
    """A DNS answer to a query for one A record; a name that is not known does not exist."""
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode("ascii").lower())
        at += query[at] + 1
    question = query[12 : at + 5]
    known = addresses.get(".".join(labels))
    (kind,) = struct.unpack("!H", query[at + 1 : at + 3])
    found = known is not None and kind == 1
    flags = 0x8180 if known else 0x8183
    head = query[:2] + struct.pack("!HHHHH", flags, 1, int(found), 0, 0)
    if not found or known is None:
        return head + question
    return head + question + struct.pack("!HHHIH", 0xC00C, 1, 1, 5, 4) + socket.inet_aton(known)


def serve_names(hosts: Path) -> None:
    """Answer from a hosts file for ever, as Docker's name service would."""
    lines = [line.split() for line in hosts.read_text(encoding="ascii").splitlines()]
    addresses = {line[1]: line[0] for line in lines}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.bind((DNS, 53))
        while True:
            query, sender = door.recvfrom(1500)
            door.sendto(answer(query, addresses), sender)


if __name__ == "__main__":
    serve_names(Path(sys.argv[1]))
