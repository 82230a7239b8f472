import { describe, expect, test } from 'vitest'
import { expected, faultsOf, matched, parse, type Row } from '../../../support/config.ts'

const PLAIN = 'networks: { blue: { vni: 42, security: plain } }\n'

function row(keys: string, path: string, what: string, mend: string, line = 2): Row {
  return { text: `${PLAIN}${keys}`, path, what, mend, line }
}

describe('the keys about the firewall', () => {
  test('are these without any', () => {
    const none = { firewall: 'auto', masquerade: false, forward: true, notrack: false, ports: [], asked: false }
    expect(parse(PLAIN).rules).toEqual(none)
  })

  test.each(['masquerade: true', 'forward: true', 'notrack: true', 'firewall: nftables', 'ports: ["1:10.42.0.7:2"]'])(
    '%s asks for rules',
    (keys) => expect(parse(`${PLAIN}${keys}`).rules.asked).toBe(true),
  )

  test.each(['masquerade: false', 'forward: false', 'firewall: auto', 'firewall: off', 'ports: []'])(
    '%s asks for none',
    (keys) => expect(parse(`${PLAIN}${keys}`).rules.asked).toBe(false),
  )

  const mapping = '"4789:10.42.0.7:80/udp"'
  test.each([
    row('masquerade: yes', 'masquerade', 'want true | false', 'without quotes'),
    row('firewall: ipfw', 'firewall', 'want auto | nftables | iptables | off', 'write one of these'),
    row('ports: ["8080:10.42.3.7"]', 'ports[0]', 'want PORT:ADDRESS:PORT', 'write it like'),
    row(
      'ports: ["80:10.42.0.7:80", "80:10.42.0.8:80/tcp"]',
      'ports[1]',
      '0.0.0.0:80/tcp is ports[0] too',
      'keep one of them',
    ),
    row(`ports: [${mapping}]`, 'ports[0]', 'UDP port 4789 is where network blue comes in', 'map another port'),
    {
      ...row(`ports: [${mapping}]`, 'ports[0]', 'UDP port 4789 is where WireGuard comes in', 'another port', 4),
      text: `privateKeyFile: /keys/own\nunderlay: { wireguardPort: 4789 }\nnetworks: { blue: { vni: 42 } }\nports: [${mapping}]`,
    },
  ])('$path: $what', (one) => expect(matched(faultsOf(one.text), one)).toEqual(expected(one)))

  test('take one port of two addresses, of both protocols, and a tunnel port of TCP', () => {
    const ports = '["4789:10.42.0.7:80", "80:10.42.0.7:80/udp", "80:10.42.0.7:80", "198.18.0.1:80:10.42.0.8:80"]'
    expect(parse(`${PLAIN}ports: ${ports}`).rules.ports).toHaveLength(4)
  })
})
