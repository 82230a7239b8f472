// What a network of type flannel may say, and what is the store's to say.
import { describe, expect, test } from 'vitest'
import { faultsOf, KEY_B, parse } from '../../../support/config.ts'

const KEY = 'privateKeyFile: /keys/own\n'
const STORE = 'control: { etcd: { endpoints: [http://198.18.0.9:2379] } }\n'

const without = (fault: string): string => fault.replace(/ \(line \d+\)$/, '')
const faults = (text: string): string[] => faultsOf(`${KEY}${STORE}${text}`).map(without)

describe('a flannel network', () => {
  test('is layer 3 and secure, and says nothing of VNI, port and address', () => {
    const config = parse(`${KEY}${STORE}networks: { pods: { type: flannel } }`)
    expect(config.networks).toEqual([])
    expect(config.flannels).toHaveLength(1)
    expect(config.flannels[0]).toMatchObject({
      name: 'pods',
      security: 'secure',
      interface: null,
      prefix: null,
      subnetFile: null,
      mtu: null,
      sourceCheck: true,
    })
    for (const key of ['vni', 'port', 'addresses', 'device']) expect(config.flannels[0]).not.toHaveProperty(key)
  })

  test('may be placed: in the store, as a device, as a file', () => {
    const own = 'type: flannel, device: tun, security: plain, prefix: /a/b, interface: flan0, subnetFile: /run/x.env'
    expect(parse(`${KEY}${STORE}networks: { pods: { ${own} } }`).flannels[0]).toMatchObject({
      prefix: '/a/b',
      interface: 'flan0',
      subnetFile: '/run/x.env',
      security: 'plain',
    })
  })

  test('names every key that is not its own, once', () => {
    const own = 'type: flannel, vni: 1, port: 8472, address: 10.5.1.0/32, accept: any, device: tap'
    expect(faults(`networks: { pods: { ${own} } }`)).toEqual([
      "networks.pods.vni: not for flannel networks: it comes from the store's Backend.VNI; remove it",
      "networks.pods.port: not for flannel networks: it comes from the store's Backend.Port; remove it",
      'networks.pods.address: not for flannel networks: it is the first of the subnet that the store leases to us; remove it',
      'networks.pods.accept: not for flannel networks: its members are those of the store, and nobody else is heard; remove it',
      'networks.pods.device: a flannel network is layer 3; write tun, or remove the key',
    ])
  })

  test('has its own place and file; only one of them is secure', () => {
    expect(faults('networks: { a: { type: flannel }, b: { type: flannel } }')).toEqual([
      "networks.b.prefix: network a is at the same place in the store; give one of them a prefix of its own, where the store has another network's config",
      'networks.b.subnetFile: network a writes the same file; give one of them another',
      'networks.b.security: network a is secure and of the store too, and nothing on the wire tells packets of two apart; write plain in one of them, or keep one',
    ])
    const apart = 'b: { type: flannel, prefix: /b, subnetFile: /run/b.env, security: plain }'
    expect(faults(`networks: { a: { type: flannel }, ${apart} }`)).toEqual([])
  })

  test('needs a store, and a place in it that no other has by another way', () => {
    expect(faultsOf(`${KEY}networks: { pods: { type: flannel } }`).map(without)).toEqual([
      'control.etcd: missing, and network pods is of type flannel; say where the store is: `control: { etcd: { endpoints: [http://198.18.0.9:2379] } }`',
    ])
    const usual = 'b: { type: flannel, security: plain, prefix: /coreos.com/network, subnetFile: /run/b.env }'
    expect(faults(`networks: { a: { type: flannel }, ${usual} }`)).toHaveLength(1)
  })

  test('takes no peers of the file; those that name no network are not in it', () => {
    const networks = 'networks: { pods: { type: flannel }, blue: { vni: 42 } }'
    const peer = (more: string) => `${networks}\npeers: { b: { publicKey: ${KEY_B}${more} } }`
    expect(faults(peer(', networks: [pods]'))).toEqual([
      'peers.b.networks[0]: network pods is of type flannel: its members come from the store; take the network out of the list',
    ])
    expect(parse(`${KEY}${STORE}${peer('')}`).peers[0]!.networks.map((n) => n.network)).toEqual(['blue'])
  })

  test('forms of the keys, and keys that vxlan networks do not have', () => {
    expect(faults('networks: { pods: { type: flannel, prefix: a/b, subnetFile: subnet.env } }')).toEqual([
      'networks.pods.prefix: want a path in the store, got "a/b"; write it like /coreos.com/network',
      'networks.pods.subnetFile: want the name of a file from / on, got "subnet.env"; write it like /run/flannel/subnet.env',
    ])
    expect(faults('networks: { blue: { vni: 1, prefix: /a, subnetFile: /b } }')).toEqual([
      'networks.blue.prefix: for flannel networks only; remove it, or write `type: flannel`',
      'networks.blue.subnetFile: for flannel networks only; remove it, or write `type: flannel`',
    ])
  })

  test('a vxlan network without a VNI is said with all else that is wrong', () => {
    expect(faults('networks: { blue: { mtu: 1 } }')).toEqual([
      'networks.blue.mtu: want 68..65485, got 1; write the inner MTU, or remove the key',
      'networks.blue.vni: missing, want 0..16777215; write a number in that range, without quotes',
    ])
  })
})
