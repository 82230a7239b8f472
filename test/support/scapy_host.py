"""One host's end of a wire, for wire.ts: makes packets by scapy's expressions, sends them, hears and reads what passes.

A request is one line of JSON on stdin, its answer one line on stdout:
  {"op": "listen", "interface": I}                     from now on; answers {}
  {"op": "send", "interface": I, "packets": [EXPR, …]} each a scapy expression of a whole frame, or 0x… of one
  {"op": "heard", "interface": I, "port": P}           frames since the last time, as {hex, out, layers: {NAME: {field: value}}}
VXLAN is read on UDP port P (4789 without it). Offloads of the interface should be off, so that the wire has what it says.
"""

import json
import socket
import struct
import sys

from scapy.all import *  # noqa: F403: requests are scapy expressions
from scapy.all import UDP, VXLAN, Ether, bind_layers, conf, raw

ETH_P_ALL = 3
SOL_PACKET = 263
PACKET_AUXDATA = 8
TP_STATUS_VLAN_VALID = 0x10
PACKET_OUTGOING = 4
BUFFER = 8 << 20

conf.verb = 0
sockets = {}
senders = {}


def interface_socket(name):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    s.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    s.setsockopt(socket.SOL_SOCKET, 33, BUFFER)  # SO_RCVBUFFORCE
    s.bind((name, ETH_P_ALL))
    s.setblocking(False)
    return s


def receive(s):
    """One frame with its VLAN tag put back, which the kernel takes off, and whether we sent it; None when there is none."""
    try:
        frame, extra, _, address = s.recvmsg(1 << 17, 128)
    except BlockingIOError:
        return None
    for level, kind, value in extra:
        if (level, kind) != (SOL_PACKET, PACKET_AUXDATA):
            continue
        status, _, _, _, _, tci, tpid = struct.unpack("=IIIHHHH", value[:20])
        if status & TP_STATUS_VLAN_VALID:
            frame = frame[:12] + struct.pack("!HH", tpid or 0x8100, tci) + frame[12:]
    return frame, address[2] == PACKET_OUTGOING


def plain(value):
    if isinstance(value, (int, str)) or value is None:
        return value
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def layers(packet):
    """Fields by layer; a second layer of a name is called inner."""
    found = {}
    while packet and packet.name != "NoPayload":
        name = type(packet).__name__
        found["inner " + name if name in found else name] = {f.name: plain(packet.getfieldval(f.name)) for f in packet.fields_desc}
        packet = packet.payload
    return found


def checksum_right(frame):
    """Whether scapy computes the outer UDP checksum to be what it is; None without one."""
    packet = Ether(frame)
    if UDP not in packet or packet[UDP].chksum == 0:
        return None
    # A copy as made anew: the payload behind UDP is bytes, nothing below is computed again.
    again = packet.copy()
    was = again[UDP].chksum
    again[UDP].remove_payload()
    again[UDP].add_payload(raw(packet[UDP].payload))
    del again[UDP].chksum
    return Ether(raw(again))[UDP].chksum == was


def listen(request):
    sockets[request["interface"]] = interface_socket(request["interface"])
    return {}


def send(request):
    # A socket of its own: one does not hear what it sends itself.
    name = request["interface"]
    s = senders.get(name) or senders.setdefault(name, socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
    s.bind((name, 0))
    for text in request["packets"]:
        s.send(bytes.fromhex(text[2:]) if text.startswith("0x") else raw(eval(text)))  # noqa: S307: our own tests' text
    return {}


def heard(request):
    bind_layers(UDP, VXLAN, dport=request.get("port", 4789))
    frames = []
    while (one := receive(sockets[request["interface"]])) is not None:
        frame, out = one
        read = layers(Ether(frame))
        frames.append({"hex": frame.hex(), "out": out, "layers": read, "checksumRight": checksum_right(frame)})
    return frames


for line in sys.stdin:
    request = json.loads(line)
    try:
        answer = {"listen": listen, "send": send, "heard": heard}[request["op"]](request)
    except Exception as error:  # noqa: BLE001: the test reports it
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
