import { describe, expect, test } from 'vitest'
import { parseEndpoint } from '../../../../src/control/config/endpoint.ts'

describe('parseEndpoint', () => {
  test.each([
    ['198.18.0.2', '198.18.0.2', null],
    ['198.18.0.2:4789', '198.18.0.2', 4789],
    ['fd00::2', 'fd00::2', null],
    ['FD00:0::2', 'fd00::2', null],
    ['[fd00::2]', 'fd00::2', null],
    ['[fd00::2]:1', 'fd00::2', 1],
    ['host-b', 'host-b', null],
    ['Host_B.Example.NET.:65535', 'host_b.example.net.', 65535],
    ['1and1.example', '1and1.example', null],
    // Bare IPv6 ends in no port, however it looks.
    ['fd00::2:4789', 'fd00::2:4789', null],
  ])('reads %s', (text, host, port) => expect(parseEndpoint(text)).toEqual({ host, port }))

  test.each([
    '',
    ':4789',
    'host:',
    'host:0',
    'host:65536',
    'host:port',
    'ho st',
    '-host',
    'host-',
    '_host',
    'a..b',
    '198.18.0',
    '198.18.0.256',
    '0x7f000001',
    '4789',
    '[198.18.0.2]:1',
    '[fd00::2',
    'fd00::2]:1',
    '[host]:1',
    '[fe80::1%eth0]:1',
    '::ffff:198.18.0.2',
    'udp://host',
    `${'a'.repeat(64)}.example`,
    'a.'.repeat(127),
  ])('refuses %j', (text) => expect(parseEndpoint(text)).toBeNull())
})
