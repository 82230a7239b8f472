// Golden text of flannel's chains as iptables-save shows them, and of ours beside them.
import { describe, expect, test } from 'vitest'
import { parsePortMapping } from '../../../../src/control/config/port-mapping.ts'
import { chainNames, isMark, type Table, wantedTables } from '../../../../src/control/firewall/chains.ts'
import type { HostRules } from '../../../../src/control/firewall/host-rules.ts'
import { FLANNEL, FLAT, NONE } from '../../../support/host-rules.ts'

const NAMES = chainNames('0a1b2c3d', true)

function text(rules: HostRules, family: 4 | 6, table: Table): string {
  const wanted = wantedTables(rules, family, NAMES).get(table)
  const chains = [...(wanted?.chains ?? [])].flatMap(([name, own]) => own.map((rule) => `-A ${name} ${rule}`))
  return [...(wanted?.jumps ?? []).map((jump) => `-A ${jump}`), ...chains].join('\n')
}

describe("flannel's chains", () => {
  test('nat', () => {
    expect(text(FLANNEL, 4, 'nat')).toBe(`\
-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG
-A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s 10.42.1.0/24 -d 10.42.0.0/16 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s 10.42.0.0/16 -d 10.42.1.0/24 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG ! -s 10.42.0.0/16 -d 10.42.1.0/24 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s 10.42.0.0/16 ! -d 224.0.0.0/4 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully
-A FLANNEL-POSTRTG ! -s 10.42.0.0/16 -d 10.42.0.0/16 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully`)
    expect(text(FLANNEL, 6, 'nat')).toContain(
      '-A FLANNEL-POSTRTG -s fd00:42::/48 ! -d ff00::/8 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully',
    )
  })

  test('filter', () => {
    expect(text(FLANNEL, 4, 'filter')).toBe(`\
-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD
-A FLANNEL-FWD -s 10.42.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT
-A FLANNEL-FWD -d 10.42.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT`)
  })

  test('of a network where anybody may be anywhere: nothing inside it is changed', () => {
    const masq = '-m comment --comment "flanneld masq"'
    const lines = text(FLAT, 4, 'nat').split('\n').slice(2)
    expect(lines).toEqual([
      `-A FLANNEL-POSTRTG -s 10.42.0.0/24 -d 10.42.0.0/24 ${masq} -j RETURN`,
      `-A FLANNEL-POSTRTG ! -s 10.42.0.0/24 -d 10.42.0.1/32 ${masq} -j RETURN`,
      `-A FLANNEL-POSTRTG -s 10.42.0.0/24 ! -d 224.0.0.0/4 ${masq} -j MASQUERADE --random-fully`,
      `-A FLANNEL-POSTRTG ! -s 10.42.0.0/24 -d 10.42.0.0/24 ${masq} -j MASQUERADE --random-fully`,
    ])
    const forward = text(FLAT, 4, 'filter')
    expect(forward).toContain('-A FLANNEL-FWD -o vt42 -m comment --comment "flanneld forward" -j ACCEPT')
    expect(forward).toContain('-A FLANNEL-FWD -m physdev --physdev-out vt42 --physdev-is-bridged -m comment')
  })

  test('are of one agent; another has its own, short enough for the kernel', () => {
    const own = chainNames('0a1b2c3d', false)
    expect(own).toMatchObject({ mark: null, masquerade: 'FLANNEL-POSTRTG-0a1b2c3d', forward: 'FLANNEL-FWD-0a1b2c3d' })
    // XT_EXTENSION_MAXNAMELEN less its zero.
    for (const name of Object.values(own)) expect((name ?? '').length).toBeLessThanOrEqual(28)
    expect([NAMES.mark, ...Object.values(own)].filter((name) => name !== null && isMark(name))).toEqual([NAMES.mark])
  })
})

test('mapped ports', () => {
  const ports = ['8080:10.42.1.7:80', '198.18.0.1:8080:10.42.2.7:80'].map(parsePortMapping)
  const rules = { ...FLANNEL, masquerade: false, forward: false, ports }
  const comment = '-m comment --comment "vtepd ports"'
  expect(text(rules, 4, 'nat')).toBe(`\
-A PREROUTING -m addrtype --dst-type LOCAL ${comment} -j VTEPD-PORTS
-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL ${comment} -j VTEPD-PORTS
-A POSTROUTING ${comment} -j VTEPD-POSTRTG
-A VTEPD-PORTS -d 198.18.0.1/32 -p tcp -m tcp --dport 8080 ${comment} -j DNAT --to-destination 10.42.2.7:80
-A VTEPD-PORTS -p tcp -m tcp --dport 8080 ${comment} -j DNAT --to-destination 10.42.1.7:80
-A VTEPD-POSTRTG -d 10.42.2.7/32 -p tcp -m tcp --dport 80 -m conntrack --ctstate DNAT --ctorigdstport 8080 ${comment} -j MASQUERADE --random-fully
-A VTEPD-POSTRTG -s 10.42.0.0/16 -d 10.42.1.7/32 -p tcp -m tcp --dport 80 -m conntrack --ctstate DNAT --ctorigdstport 8080 ${comment} -j MASQUERADE --random-fully`)
  const passed = text(rules, 4, 'filter').split('\n')
  expect(passed).toHaveLength(5)
  expect(passed[1]).toBe(
    `-A VTEPD-FWD -d 10.42.2.7/32 -p tcp -m tcp --dport 80 -m conntrack --ctstate DNAT ${comment} -j ACCEPT`,
  )
  expect(text(rules, 6, 'nat')).toBe('')
})

test('untracked tunnels, of both families', () => {
  const rules = { ...NONE, untracked: { own: [4789], far: [4790] } }
  const comment = '-m comment --comment "vtepd notrack"'
  for (const family of [4, 6] as const) {
    expect(text(rules, family, 'raw')).toBe(`\
-A PREROUTING ${comment} -j VTEPD-NOTRACK-IN
-A OUTPUT ${comment} -j VTEPD-NOTRACK-OUT
-A VTEPD-NOTRACK-IN -p udp -m udp --dport 4789 -m addrtype --dst-type LOCAL ${comment} -j CT --notrack
-A VTEPD-NOTRACK-OUT -p udp -m udp --sport 4789 -m addrtype --src-type LOCAL ${comment} -j CT --notrack
-A VTEPD-NOTRACK-OUT -p udp -m udp --dport 4790 -m addrtype --src-type LOCAL ${comment} -j CT --notrack`)
  }
})

test('nothing wanted is no table', () => expect(wantedTables(NONE, 4, NAMES).size).toBe(0))
