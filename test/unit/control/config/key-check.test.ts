import { describe, expect, test } from 'vitest'
import { parseConfig } from '../../../../src/control/config/config.ts'
import type { ReadKey } from '../../../../src/control/key-file.ts'
import { Secret } from '../../../../src/control/secret.ts'
import {
  expected,
  faultsOf,
  KEY_B,
  KEY_C,
  keyBytes,
  matched,
  OWN_KEY,
  parse,
  type Row,
} from '../../../support/config.ts'

const NETWORKS = 'networks: { a: { vni: 1 } }\n'

const ROWS: Row[] = [
  {
    text: `${NETWORKS}privateKeyFile: none`,
    path: 'privateKeyFile',
    what: 'there is no file /keys/none',
    mend: 'vtepd genkey',
    line: 2,
  },
  {
    text: `privateKeyFile: own\n${NETWORKS}peers: { b: { publicKey: ${KEY_B}, presharedKeyFile: none } }`,
    path: 'peers.b.presharedKeyFile',
    what: 'there is no file /keys/none',
    mend: 'vtepd genpsk',
    line: 3,
  },
  {
    text: `privateKeyFile: own\n${NETWORKS}peers: { b: { publicKey: ${OWN_KEY} } }`,
    path: 'peers.b.publicKey',
    what: "it is this host's own public key",
    mend: "write the other host's, which `vtepd pubkey` prints there",
    line: 3,
  },
  {
    text: `privateKeyFile: own\n${NETWORKS}peers:\n  b: { publicKey: ${KEY_B} }\n  c: { publicKey: ${KEY_B} }`,
    path: 'peers.c.publicKey',
    what: "it is peer b's too",
    mend: 'remove one of the peers',
    line: 5,
  },
]

describe('the keys of a configuration', () => {
  test.each(ROWS)('$path: $what', (row) => expect(matched(faultsOf(row.text), row)).toEqual(expected(row)))

  test('are read from their files, each peer its own', () => {
    const config = parse(`privateKeyFile: own
${NETWORKS}peers:
  b: { publicKey: ${KEY_B}, presharedKeyFile: psk }
  c: { publicKey: ${KEY_C}, presharedKeyFile: psk2 }
`)
    expect(config.publicKey).toBe(OWN_KEY)
    expect(config.privateKey!.copy()).toEqual(keyBytes(1))
    expect(config.peers.map((peer) => peer.presharedKey!.copy())).toEqual([keyBytes(101), keyBytes(102)])
  })

  test('are zeroed when something else is faulty', () => {
    const read: Secret[] = []
    const readKey: ReadKey = () => {
      read.push(new Secret(keyBytes(read.length + 1)))
      return read.at(-1)!
    }
    const text = `privateKeyFile: a\nnetworks: { a: { vni: x } }\npeers: { b: { publicKey: ${KEY_B}, presharedKeyFile: c } }`
    expect(() => parseConfig(text, { path: 'x', hostname: 'h', readKey })).toThrow('networks.a.vni')
    expect(read.map((secret) => secret.copy())).toEqual([new Uint8Array(32), new Uint8Array(32)])
  })

  test('are all looked at, whatever else is wrong', () => {
    const faults = faultsOf(`privateKeyFile: none\nnetworks: { a: { vni: x } }
peers: { b: { publicKey: ${KEY_B}, presharedKeyFile: gone } }`)
    expect(faults.map((fault) => fault.split(':')[0])).toEqual([
      'privateKeyFile',
      'networks.a.vni',
      'peers.b.presharedKeyFile',
    ])
  })
})
