// The addon's calls as they are: every misuse is an exception, none a crash. src/host/netdev.ts keeps people from them.
import { closeSync, openSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import * as addon from '../../../src/host/addon.ts'

const SLAB = new Uint8Array(256 * 1024)
const PLACES = new Uint32Array(8)
// By name: in a context of its own (vitest's vm pools) the addon throws the main context's TypeError.
const TYPE_ERROR = expect.objectContaining({ name: 'TypeError' })
const none = (): void => {}

/** Calls with arguments of any kind, as JavaScript can. */
const call = (f: unknown, ...args: unknown[]): unknown => (f as (...a: unknown[]) => unknown)(...args)
const make = (C: unknown, ...args: unknown[]): unknown => new (C as new (...a: unknown[]) => unknown)(...args)

/** A row of native/netlink.h's Route. */
function row(family: number, length: number): Uint8Array {
  const bytes = new Uint8Array(48)
  bytes.set([family, length])
  return bytes
}
const ASKEW = new Uint8Array(new ArrayBuffer(64), 1, 48).fill(4, 0, 1)

describe('wrong arguments', () => {
  const address = Uint8Array.of(10, 0, 0, 1)
  const cases: [string, () => unknown][] = [
    ['tunOpen without arguments', () => call(addon.tunOpen)],
    ['tunOpen with a long name', () => call(addon.tunOpen, null, 'x'.repeat(16), 1, null, -1, -1, 0, 0)],
    ['tunOpen with a name that hides a zero', () => call(addon.tunOpen, null, 'a\0b', 1, null, -1, -1, 0, 0)],
    ['tunOpen with a short MAC', () => call(addon.tunOpen, null, '', 1, new Uint8Array(5), -1, -1, 0, 0)],
    ['tunOpen with a MAC of 16-bit numbers', () => call(addon.tunOpen, null, '', 1, new Uint16Array(3), -1, -1, 0, 0)],
    ['tunOpen with an unknown switch', () => call(addon.tunOpen, null, '', 1, null, -1, -1, 3, 0)],
    ['tunOpen with half an MTU', () => call(addon.tunOpen, null, '', 1, null, 1500.5, -1, 0, 0)],
    ['tunOpen with a namespace that is a number', () => call(addon.tunOpen, 7, '', 1, null, -1, -1, 0, 0)],
    ['tunAttachQueue with a text', () => call(addon.tunAttachQueue, '3', true)],
    ['tunPersist without a switch', () => call(addon.tunPersist, 3)],
    ['linkGet with an index of 0', () => call(addon.linkGet, null, 0)],
    ['linkGet with an empty name', () => call(addon.linkGet, null, '')],
    ['linkGet with a long name', () => call(addon.linkGet, null, 'x'.repeat(16))],
    ['linkGet with nothing', () => call(addon.linkGet)],
    ['linkSet with too few numbers', () => call(addon.linkSet, null, 1, 1500)],
    ['linkMove with a long name', () => call(addon.linkMove, null, 1, 'x'.repeat(16), -1)],
    ['linkMove without a namespace', () => call(addon.linkMove, null, 1, null)],
    ['tunName of -1', () => call(addon.tunName, -1)],
    ['linkDelete with a name', () => call(addon.linkDelete, null, 'lo')],
    ['addressChange with 5 bytes', () => call(addon.addressChange, null, true, 1, new Uint8Array(5), 8)],
    ['addressChange with a prefix of 33', () => call(addon.addressChange, null, true, 1, address, 33)],
    ['addressList with a negative index', () => call(addon.addressList, null, -1)],
    ['routeChange with too few rows', () => call(addon.routeChange, null, new Uint8Array(2), row(4, 8))],
    ['routeChange with an unknown verb', () => call(addon.routeChange, null, new Uint8Array([3]), row(4, 8))],
    ['routeChange with a prefix of 33', () => call(addon.routeChange, null, new Uint8Array(1), row(4, 33))],
    ['routeChange of no family', () => call(addon.routeChange, null, new Uint8Array(1), row(5, 8))],
    ['routeChange with rows askew', () => call(addon.routeChange, null, new Uint8Array(1), ASKEW)],
    ['routeChange without rows', () => call(addon.routeChange, null, new Uint8Array(1))],
    ['routeList of no family', () => call(addon.routeList, null)],
    ['routeList of a protocol of 256', () => call(addon.routeList, null, 4, 256)],
    ['routeTo of 5 bytes', () => call(addon.routeTo, null, new Uint8Array(5))],
    ['neighbourList of no family', () => call(addon.neighbourList, null, 3)],
    ['flowList of no family', () => call(addon.flowList, 5, 17, new Uint16Array(1))],
    ['flowList of one port', () => call(addon.flowList, 4, 17, 53)],
    ['flowForget without a handle', () => call(addon.flowForget, 4, 'x')],
    ['netlinkLost of -1', () => call(addon.netlinkLost, -1)],
    ['netnsId of -1', () => call(addon.netnsId, null, -1)],
    ['linkList of a number', () => call(addon.linkList, 7)],
    ['netlinkMonitor with an object', () => call(addon.netlinkMonitor, {})],
    ['netlinkMonitor with a number for rules', () => call(addon.netlinkMonitor, null, 1)],
    ['netlinkDrain with -1', () => call(addon.netlinkDrain, -1)],
    ['sendNotification without a state', () => call(addon.sendNotification, '/run/x')],
    ['FdPoll without callbacks', () => make(addon.FdPoll, 0)],
    ['FdPoll with a negative fd', () => make(addon.FdPoll, -1, none, none)],
    ['Packets without a slab', () => make(addon.Packets, 0, true, false)],
    ['Packets with a small slab', () => make(addon.Packets, 0, true, false, new Uint8Array(64), PLACES)],
    ['Packets with places of bytes', () => make(addon.Packets, 0, true, false, SLAB, new Uint8Array(8))],
    ['Packets with no place', () => make(addon.Packets, 0, true, false, SLAB, new Uint32Array(1))],
  ]
  it.each(cases)('%s: a TypeError', (_title, misuse) => {
    expect(misuse).toThrow(TYPE_ERROR)
  })

  it('a method on something else is an exception', () => {
    const packets = new addon.Packets(0, true, false, SLAB, PLACES)
    expect(() => packets.read.call({} as addon.Packets)).toThrow()
    expect(() => packets.write.call(null as unknown as addon.Packets, [], 0)).toThrow()
    packets.end()
  })
})

describe('failed calls', () => {
  it('carry code, errno and syscall', () => {
    expect(() => addon.linkGet('/nowhere', 'lo')).toThrow(
      expect.objectContaining({ code: 'ENOENT', errno: -2, syscall: 'setns' }),
    )
  })

  it('an fd that cannot be waited for stays with the caller', () => {
    const fd = openSync('/proc/self/status', 'r')
    expect(() => new addon.FdPoll(fd, none, none)).toThrow(
      expect.objectContaining({ code: 'EPERM', syscall: 'uv_poll_init' }),
    )
    closeSync(fd)
  })
})

describe('Packets', () => {
  it('answers EBADF once it has ended, as often as asked', () => {
    const packets = new addon.Packets(0, true, true, SLAB, PLACES)
    packets.end()
    packets.end()
    expect(packets.read()).toBe(-9)
    expect(packets.pending()).toBe(false)
    expect(packets.write([new Uint8Array(1)], 0)).toBe(0)
    expect(PLACES[0]).toBe(9)
  })

  it('takes nothing from an empty list, or from behind its end', () => {
    const packets = new addon.Packets(0, true, false, SLAB, PLACES)
    expect(packets.write([], 0)).toBe(0)
    expect(packets.write([new Uint8Array(1)], 5)).toBe(0)
    expect(() => packets.write(['text' as unknown as Uint8Array], 0)).toThrow(TYPE_ERROR)
    packets.end()
  })
})

describe('FdPoll', () => {
  it('closes once, and everything after that does nothing', async () => {
    const poll = await new Promise<addon.FdPoll>((resolve) => {
      const opened: addon.FdPoll = new addon.FdPoll(addon.netlinkMonitor(null), none, () => resolve(opened))
      opened.start(addon.FD_READABLE)
      opened.close()
      opened.close()
    })
    poll.start(addon.FD_READABLE)
    poll.ref()
    poll.unref()
    poll.close()
    expect(() => poll.start(99)).toThrow(TYPE_ERROR)
  })
})
