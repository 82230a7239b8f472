// The cold half of UDP as TypeScript sees it, on the kernel's loopback.
import { closeSync, fstatSync } from 'node:fs'
import { expect, it, onTestFinished } from 'vitest'
import { udpMark, udpOpen } from '../../src/host/addon.ts'
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
