// Golden text of the table; that nft(8) takes it is test/netns/host-rules.test.ts's to show.
import { expect, test } from 'vitest'
import { parsePortMapping } from '../../../../src/control/config/port-mapping.ts'
import { ruleset } from '../../../../src/control/firewall/nft.ts'
import { FLANNEL, FLAT, NONE } from '../../../support/host-rules.ts'

test('a flannel network: rules and order of flannel, its fourth as it is in iptables', () => {
  expect(ruleset('vtepd', FLANNEL)).toBe(`table inet vtepd {
	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		meta mark & 0x4000 == 0x4000 return
		ip saddr 10.42.1.0/24 ip daddr 10.42.0.0/16 return
		ip saddr 10.42.0.0/16 ip daddr 10.42.1.0/24 return
		ip saddr != 10.42.0.0/16 ip daddr 10.42.1.0/24 return
		ip6 saddr fd00:42:0:1::/64 ip6 daddr fd00:42::/48 return
		ip6 saddr fd00:42::/48 ip6 daddr fd00:42:0:1::/64 return
		ip6 saddr != fd00:42::/48 ip6 daddr fd00:42:0:1::/64 return
		ip saddr 10.42.0.0/16 ip daddr != 224.0.0.0/4 masquerade fully-random
		ip saddr != 10.42.0.0/16 ip daddr 10.42.0.0/16 masquerade fully-random
		ip6 saddr fd00:42::/48 ip6 daddr != ff00::/8 masquerade fully-random
		ip6 saddr != fd00:42::/48 ip6 daddr fd00:42::/48 masquerade fully-random
	}

	chain forward {
		type filter hook forward priority filter; policy accept;
		ip saddr 10.42.0.0/16 accept
		ip daddr 10.42.0.0/16 accept
		ip6 saddr fd00:42::/48 accept
		ip6 daddr fd00:42::/48 accept
	}
}
`)
})

test('a network where anybody may be anywhere: nothing inside it is changed', () => {
  expect(ruleset('vtepd', { ...FLAT, forward: false })).toBe(`table inet vtepd {
	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		meta mark & 0x4000 == 0x4000 return
		ip saddr 10.42.0.0/24 ip daddr 10.42.0.0/24 return
		ip saddr != 10.42.0.0/24 ip daddr 10.42.0.1/32 return
		ip saddr 10.42.0.0/24 ip daddr != 224.0.0.0/4 masquerade fully-random
		ip saddr != 10.42.0.0/24 ip daddr 10.42.0.0/24 masquerade fully-random
	}
}
`)
})

test('mapped ports and untracked tunnels', () => {
  const ports = ['8080:10.42.1.7:80', '[fd00::1]:53:[fd00:42:0:2::7]:5353/udp', '198.18.0.1:8080:10.42.2.7:80']
  const untracked = { own: [4789, 51820], far: [4789] }
  const rules = { ...FLANNEL, masquerade: false, forward: false, ports: ports.map(parsePortMapping), untracked }
  expect(ruleset('vtepd-0a1b2c3d', rules)).toBe(`table inet vtepd-0a1b2c3d {
	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		ct status dnat ip daddr 10.42.2.7 tcp dport 80 ct original proto-dst 8080 masquerade fully-random
		ct status dnat ip saddr 10.42.0.0/16 ip daddr 10.42.1.7 tcp dport 80 ct original proto-dst 8080 masquerade fully-random
		ct status dnat ip6 daddr fd00:42:0:2::7 udp dport 5353 ct original proto-dst 53 masquerade fully-random
	}

	chain forward {
		type filter hook forward priority filter; policy accept;
		ct status dnat ip daddr 10.42.1.7 tcp dport 80 accept
		ct status dnat ip saddr 10.42.1.7 tcp sport 80 accept
		ct status dnat ip6 daddr fd00:42:0:2::7 udp dport 5353 accept
		ct status dnat ip6 saddr fd00:42:0:2::7 udp sport 5353 accept
		ct status dnat ip daddr 10.42.2.7 tcp dport 80 accept
		ct status dnat ip saddr 10.42.2.7 tcp sport 80 accept
	}

	chain mapped {
		ip daddr 198.18.0.1 tcp dport 8080 dnat ip to 10.42.2.7:80
		meta nfproto ipv4 tcp dport 8080 dnat ip to 10.42.1.7:80
		ip6 daddr fd00::1 udp dport 53 dnat ip6 to [fd00:42:0:2::7]:5353
	}

	chain prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		fib daddr type local jump mapped
	}

	chain output {
		type nat hook output priority -100; policy accept;
		ip daddr != 127.0.0.0/8 fib daddr type local jump mapped
		ip6 daddr != ::1 fib daddr type local jump mapped
	}

	chain untracked-in {
		type filter hook prerouting priority raw; policy accept;
		fib daddr type local udp dport 4789 notrack
		fib daddr type local udp dport 51820 notrack
	}

	chain untracked-out {
		type filter hook output priority raw; policy accept;
		fib saddr type local udp sport 4789 notrack
		fib saddr type local udp sport 51820 notrack
		fib saddr type local udp dport 4789 notrack
	}
}
`)
})

test('nothing wanted is no table', () => expect(ruleset('vtepd', NONE)).toBeNull())
