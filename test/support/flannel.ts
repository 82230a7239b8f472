// What tests of flannel networks begin with: a network's configuration, somebody's identity, and values as flanneld writes them.
import type { Identity, StoreConfig } from '../../src/control/flannel/model.ts'
import { parseStoreConfig } from '../../src/control/flannel/store-config.ts'

export const VXLAN = '{"Network":"10.42.0.0/16","Backend":{"Type":"vxlan"}}'

export const DUAL =
  '{"Network":"10.42.0.0/16","EnableIPv6":true,"IPv6Network":"fd00:42::/48","Backend":{"Type":"vxlan","VNI":7}}'

export function storeConfig(text: string = VXLAN): StoreConfig {
  return parseStoreConfig(text)
}

/** Host number `n`. */
export function identity(n: number, more: Partial<Identity> = {}): Identity {
  const byte = n.toString(16).padStart(2, '0')
  return {
    node: `host-${n}`,
    publicIp: `198.18.0.${n}`,
    publicIpv6: `fd00::${n}`,
    vtepMac: `02:00:00:00:00:${byte}`,
    vtepMac6: `02:00:00:00:06:${byte}`,
    publicKey: null,
    wireguardPort: 51820,
    secure: false,
    ...more,
  }
}

/** As flanneld's vxlan back end writes it. */
export function flanneldValue(publicIp: string, mac: string): string {
  return `{"PublicIP":"${publicIp}","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"${mac}"}}`
}
