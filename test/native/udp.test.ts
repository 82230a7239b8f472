// The cold half of UDP as TypeScript sees it, on the kernel's loopback.
import { closeSync, fstatSync, readFileSync } from 'node:fs'
import { expect, it, onTestFinished } from 'vitest'
import { UDP_RECEIVE, UDP_SHARE, udpJoin, udpMark, udpMulticast, udpOpen } from '../../src/host/addon.ts'
import { pack } from '../../src/host/sockaddr.ts'
import { finish, start } from '../../src/lab/command.ts'
import { describeRoot } from '../support/root.ts'

/** What ss(8) tells of the socket. */
async function shown(fd: number): Promise<string> {
  const command = ['ss', '-une', '-a']
  const { stdout } = await finish(start(command), command)
  return stdout.split('\n').find((line) => line.includes(`ino:${fstatSync(fd).ino} `)) ?? ''
}

describeRoot('a mark', () => {
  it('is put on a socket, changed and taken off', async () => {
    const fd = udpOpen(pack('127.0.0.1', 0), 0, 1 << 16)
    onTestFinished(() => closeSync(fd))
    expect(await shown(fd)).toMatch(/127\.0\.0\.1/)
    udpMark(fd, 0xca6c)
    expect(await shown(fd)).toMatch(/fwmark:0xca6c\b/)
    udpMark(fd, 0xffffffff)
    expect(await shown(fd)).toMatch(/fwmark:0xffffffff\b/)
    udpMark(fd, 0)
    expect(await shown(fd)).not.toMatch(/fwmark/)
  })

  it('is refused to what is no socket', () => {
    expect(() => udpMark(-1, 1)).toThrow(expect.objectContaining({ code: 'EBADF', syscall: 'setsockopt' }))
    expect(() => udpMark('1' as unknown as number, 1)).toThrow(/udpMark\(fd, mark\)/)
  })
}, ['ss'])

describeRoot('a group', () => {
  const LOOPBACK = 1
  /** On the loopback, which every host has. */
  const GROUPS = [
    ['239.1.1.42', false],
    ['ff12::42%1', true],
  ] as const

  it.each(GROUPS)(
    '%s is joined on one interface, left with the socket, and shared with others of its port',
    (group, v6) => {
      const address = pack(group, 0)
      const one = udpOpen(address, UDP_RECEIVE | UDP_SHARE, 1 << 16)
      udpJoin(one, address, LOOPBACK)
      udpMulticast(one, v6, LOOPBACK, 64)
      const joined = () => {
        const file = readFileSync(v6 ? '/proc/net/igmp6' : '/proc/net/igmp', 'utf8')
        return file.includes(v6 ? 'ff120000000000000000000000000042' : '2A0101EF')
      }
      expect(joined()).toBe(true)
      expect(() => udpJoin(one, address, LOOPBACK)).toThrow(
        expect.objectContaining({ code: 'EADDRINUSE', syscall: 'setsockopt' }),
      )
      closeSync(one)
      expect(joined()).toBe(false)
    },
  )

  it('two sockets may have one group and port', () => {
    const first = udpOpen(pack('239.1.1.42', 47_890), UDP_SHARE, 1 << 16)
    onTestFinished(() => closeSync(first))
    const second = udpOpen(pack('239.1.1.42', 47_890), UDP_SHARE, 1 << 16)
    onTestFinished(() => closeSync(second))
    expect(second).not.toBe(first)
  })

  it('is refused where there is no interface, no group or no socket', () => {
    const fd = udpOpen(pack('239.1.1.42', 0), UDP_SHARE, 1 << 16)
    onTestFinished(() => closeSync(fd))
    expect(() => udpJoin(fd, pack('239.1.1.42', 0), 0x7fffffff)).toThrow(expect.objectContaining({ code: 'ENODEV' }))
    expect(() => udpJoin(fd, pack('198.18.0.1', 0), LOOPBACK)).toThrow(expect.objectContaining({ code: 'EINVAL' }))
    expect(() => udpMulticast(fd, false, 0x7fffffff, 64)).toThrow(expect.objectContaining({ code: 'EADDRNOTAVAIL' }))
    expect(() => udpMulticast(-1, true, LOOPBACK, 64)).toThrow(expect.objectContaining({ code: 'EBADF' }))
    expect(() => udpJoin(fd, new Uint8Array(32), LOOPBACK)).toThrow(/udpJoin\(fd, group, interfaceIndex\)/)
    expect(() => udpMulticast(fd, 1 as unknown as boolean, LOOPBACK, 64)).toThrow(/udpMulticast\(fd, v6/)
  })
})
