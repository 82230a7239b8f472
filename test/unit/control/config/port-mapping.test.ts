import { describe, expect, test } from 'vitest'
import { listensAt, parsePortMapping, portMappingFault } from '../../../../src/control/config/port-mapping.ts'

describe('a port mapping', () => {
  test.each([
    ['8080:10.42.3.7:80/tcp', 4, 'tcp', null, 8080, '10.42.3.7', 80, '0.0.0.0:8080/tcp'],
    ['8080:10.42.3.7:80', 4, 'tcp', null, 8080, '10.42.3.7', 80, '0.0.0.0:8080/tcp'],
    ['53:[fd00:42::0:7]:5353/udp', 6, 'udp', null, 53, 'fd00:42::7', 5353, '[::]:53/udp'],
    ['198.18.0.1:1:10.42.3.7:65535/udp', 4, 'udp', '198.18.0.1', 1, '10.42.3.7', 65535, '198.18.0.1:1/udp'],
    ['[fd00::1]:8080:[fd00:42::7]:80/tcp', 6, 'tcp', 'fd00::1', 8080, 'fd00:42::7', 80, 'fd00::1:8080/tcp'],
  ])('%s', (text, family, protocol, host, hostPort, target, targetPort, at) => {
    expect(portMappingFault(text)).toBeNull()
    const mapping = parsePortMapping(text)
    expect(mapping).toEqual({ family, protocol, host, hostPort, target, targetPort })
    expect(listensAt(mapping)).toBe(at)
  })

  test.each([
    ['', 'want PORT:ADDRESS:PORT'],
    ['8080', 'want PORT:ADDRESS:PORT'],
    ['8080:80', 'want PORT:ADDRESS:PORT'],
    ['8080:10.42.3.7:80/sctp', 'want PORT:ADDRESS:PORT'],
    ['8080:web:80', 'want PORT:ADDRESS:PORT'],
    ['8080:fd00:42::7:80', 'want PORT:ADDRESS:PORT'],
    ['8080:[10.42.3.7]:80', 'want PORT:ADDRESS:PORT'],
    ['8080:10.42.3.7:80; flush ruleset', 'want PORT:ADDRESS:PORT'],
    ['8080:10.42.3.7\n:80', 'want PORT:ADDRESS:PORT'],
    ['0:10.42.3.7:80', '1..65535'],
    ['8080:10.42.3.7:65536', '1..65535'],
    ['8080:0.0.0.0:80', 'one host'],
    ['8080:224.0.0.1:80', 'one host'],
    ['8080:127.0.0.1:80', 'one host'],
    ['8080:[fe80::1]:80', 'one host'],
    ['127.0.0.1:8080:10.42.3.7:80', 'loopback'],
    ['[::1]:8080:[fd00::7]:80', 'loopback'],
    ['198.18.0.1:8080:[fd00::7]:80', 'one family'],
  ])('%s is none', (text, why) => expect(portMappingFault(text)).toContain(why))
})
