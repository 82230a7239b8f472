// What a Tun or Tap is made from, checked before anything is opened: each mistake is a TypeError that names it. Cold.
import { macBytes } from './host/mac.ts'
import { cidrBytes } from './host/sockaddr.ts'

export interface TuntapOptions {
  /** 1 to 15 bytes; %d in it becomes a free number. Default: tun%d or tap%d. */
  name?: string | undefined
  /** Tap only: its MAC, set before anything sees the device up. */
  mac?: string | undefined
  /** Bytes of an IP packet. */
  mtu?: number | undefined
  /** ADDRESS/LENGTH. */
  ipv4?: string | undefined
  ipv6?: string | undefined
  up?: boolean | undefined
  /** Opens one queue of a device that may have many: further objects with the same name are further queues. */
  multiQueue?: boolean | undefined
  /** Lets the kernel hand over super-packets, which are cut into packets before 'data': fewer system calls. */
  vnetHdr?: boolean | undefined
  /** The device stays when the object is released. */
  persist?: boolean | undefined
  /** Network namespace that the device lives in: a name as in `ip netns`, a path, or a process id. */
  netns?: string | undefined
}

/** Options of `tuntap`, which are those of the package node-tuntap and more. */
export interface TuntapFunctionOptions extends TuntapOptions {
  type: 'tun' | 'tap'
  /** IPv4 address; with `mask`, another way to say `ipv4`. */
  addr?: string | undefined
  /** 255.255.255.0 */
  mask?: string | undefined
}

const OPTIONS = ['name', 'mac', 'mtu', 'ipv4', 'ipv6', 'up', 'multiQueue', 'vnetHdr', 'persist', 'netns']

/** Options of the function `tuntap` as those of a class. */
export function splitFunctionOptions(options: TuntapFunctionOptions): { type: 'tun' | 'tap'; rest: TuntapOptions } {
  checkObject(options)
  const { type, addr, mask, ...rest } = options
  if (type !== 'tun' && type !== 'tap') throw new TypeError(`want type tun or tap, got ${JSON.stringify(type)}`)
  if (addr === undefined) {
    if (mask !== undefined) throw new TypeError('want addr with mask')
    return { type, rest }
  }
  if (rest.ipv4 !== undefined) throw new TypeError('want addr or ipv4, not both')
  return { type, rest: { ...rest, ipv4: `${addr}/${mask === undefined ? 32 : maskLength(mask)}` } }
}

/** Throws TypeError for anything that no device can be made of. */
export function checkOptions(kind: 'tun' | 'tap', options: TuntapOptions): void {
  checkObject(options)
  for (const key of Object.keys(options)) {
    if (!OPTIONS.includes(key)) throw new TypeError(`unknown option ${key}; there are ${OPTIONS.join(', ')}`)
  }
  for (const key of ['up', 'multiQueue', 'vnetHdr', 'persist'] as const) {
    const value = options[key]
    if (value !== undefined && typeof value !== 'boolean') {
      throw new TypeError(`want ${key} true or false, got ${JSON.stringify(value)}`)
    }
  }
  const { netns } = options
  if (netns !== undefined && (typeof netns !== 'string' || netns === '' || netns.includes('\0'))) {
    throw new TypeError(`want netns as name, path or process id, got ${JSON.stringify(netns)}`)
  }
  if (options.mac !== undefined && kind === 'tun') throw new TypeError('a tun device has no MAC')
  if (options.mac !== undefined) macBytes(options.mac)
  if (options.mtu !== undefined) checkMtu(options.mtu)
  if (options.ipv4 !== undefined) checkCidr(options.ipv4, 4)
  if (options.ipv6 !== undefined) checkCidr(options.ipv6, 6)
}

function checkObject(options: unknown): void {
  if (typeof options === 'object' && options !== null && !Array.isArray(options)) return
  throw new TypeError(`want an object of options, got ${JSON.stringify(options)}`)
}

export function checkMtu(mtu: number): void {
  if (Number.isInteger(mtu) && mtu >= 68 && mtu <= 65535) return
  throw new TypeError(`want an MTU of 68..65535 bytes, got ${JSON.stringify(mtu)}`)
}

/** The same text, known to be of the family. */
export function checkCidr(cidr: string | null, family: 4 | 6): string | null {
  if (cidr === null) return null
  const { bytes } = cidrBytes(cidr)
  if ((bytes.length === 4) !== (family === 4)) throw new TypeError(`want an IPv${family} ADDRESS/LENGTH, got "${cidr}"`)
  return cidr
}

// Bits of a mask such as 255.255.255.0.
function maskLength(mask: string): number {
  const bytes = cidrBytes(`${mask}/0`).bytes
  const bits = Array.from(bytes, (b) => b.toString(2).padStart(8, '0')).join('')
  if (bytes.length !== 4 || !/^1*0*$/.test(bits))
    throw new TypeError(`want a mask such as 255.255.255.0, got "${mask}"`)
  return bits.lastIndexOf('1') + 1
}
