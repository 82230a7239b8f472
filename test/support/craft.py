"""Sends hand-made VXLAN datagrams, one for each line of JSON on stdin, and says "sent" at the end.

Keys: src, dst (underlay); sport, dport; vni; flags (default 8); r1, r2 (reserved fields); tos; csum (UDP checksum as given, absent:
computed); inner: hex of the inner frame; raw: hex of the whole UDP payload instead of a VXLAN header and a frame.
"""

import json
import socket
import sys

from scapy.all import IP, UDP, IPv6, Raw, conf

conf.verb = 0


def build(case):
    if "raw" in case:
        payload = bytes.fromhex(case["raw"])
    else:
        first = (case.get("flags", 8) << 24) | case.get("r1", 0)
        second = (case["vni"] << 8) | case.get("r2", 0)
        payload = first.to_bytes(4, "big") + second.to_bytes(4, "big") + bytes.fromhex(case["inner"])
    udp = UDP(sport=case.get("sport", 50000), dport=case.get("dport", 4789))
    if "csum" in case:
        udp.chksum = case["csum"]
    if ":" in case["src"]:
        return IPv6(src=case["src"], dst=case["dst"], tc=case.get("tos", 0)) / udp / Raw(payload)
    return IP(src=case["src"], dst=case["dst"], tos=case.get("tos", 0)) / udp / Raw(payload)


def main():
    raw4 = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    raw6 = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)
    for line in sys.stdin:
        case = json.loads(line)
        packet = bytes(build(case))
        if ":" in case["src"]:
            raw6.sendto(packet, (case["dst"], 0))
        else:
            raw4.sendto(packet, (case["dst"], 0))
    print("sent", flush=True)


main()
