import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { unchangeable } from '../../../../src/control/config/reload-check.ts'
import { credentialsOf, readPassword, readPem } from '../../../../src/control/etcd/files.ts'
import { Secret } from '../../../../src/control/secret.ts'
import { faultsOf, parse } from '../../../support/config.ts'
import { temporaryDir } from '../../../support/temporary.ts'

const text = (etcd: string): string => `networks: {}\ncontrol:\n  etcd: ${etcd}`
const etcd = (keys: string) => parse(text(`{ endpoints: [http://198.18.0.9:2379], ${keys} }`)).etcd!

function files(): { pem: string; password: string; open: string; empty: string } {
  const dir = temporaryDir()
  const put = (name: string, content: string, mode: number): string => {
    const path = join(dir, name)
    writeFileSync(path, content)
    chmodSync(path, mode)
    return path
  }
  return {
    pem: put('ca.pem', '-----BEGIN CERTIFICATE-----\n', 0o644),
    password: put('password', 'pässword\nsecond line\n', 0o600),
    open: put('open', 'password\n', 0o644),
    empty: put('empty', '\n', 0o600),
  }
}

describe('control.etcd', () => {
  test('has its defaults', () => {
    expect(parse('networks: {}').etcd).toBeNull()
    expect(parse('networks: {}\ncontrol:').etcd).toBeNull()
    expect(etcd('')).toEqual({
      endpoints: ['http://198.18.0.9:2379'],
      prefix: '/coreos.com/network',
      leaseTtlSec: 86400,
      renewMarginSec: 3600,
      caFile: null,
      certFile: null,
      keyFile: null,
      username: null,
      passwordFile: null,
    })
  })

  test('names a server once, with its port', () => {
    const endpoints = '[HTTP://Store.example.net, "http://store.example.net:2379/", "http://[fd00::9]:4001"]'
    expect(faultsOf(text(`{ endpoints: ${endpoints} }`))).toHaveLength(1)
    expect(parse(text(`{ endpoints: ${endpoints.replace('HTTP', 'http')} }`)).etcd!.endpoints).toEqual([
      'http://store.example.net:2379',
      'http://[fd00::9]:4001',
    ])
  })

  test('is at the same place however its slashes are written, as with flanneld', () => {
    for (const prefix of ['/a/b', '/a/b/', '//a///b//', '/a/./b', '/a/c/../b/']) {
      expect(etcd(`prefix: ${prefix}`).prefix).toBe('/a/b')
    }
    for (const prefix of ['/', '//', '/..', '/a/..', '""', '"/a b"']) {
      expect(faultsOf(text(`{ endpoints: [http://198.18.0.9], prefix: ${prefix} }`))[0]).toContain('want a path')
    }
  })

  test('has a margin that fits a short lease when none is given', () => {
    expect(etcd('leaseTtl: 30s').renewMarginSec).toBe(15)
    expect(etcd('leaseTtl: 90m').renewMarginSec).toBe(2700)
    expect(etcd('leaseTtl: 30s, renewMargin: 29s').renewMarginSec).toBe(29)
  })

  test('finds its files beside the configuration, and keeps no secret', () => {
    const { pem, password } = files()
    const one = parse(
      text(
        `{ endpoints: [https://198.18.0.9], caFile: ${pem}, certFile: ${pem}, keyFile: ${pem}, username: host, passwordFile: ${password} }`,
      ),
    ).etcd!
    expect(one).toMatchObject({ caFile: pem, username: 'host', passwordFile: password })
    const { ca, login } = credentialsOf(one)
    expect(ca!.toString()).toContain('BEGIN CERTIFICATE')
    expect(Buffer.from(login!.password.copy()).toString()).toBe('pässword')
    expect(() => credentialsOf({ ...one, passwordFile: '/none' })).toThrow('control.etcd: there is no file /none')
    expect(faultsOf(text('{ endpoints: [https://198.18.0.9], caFile: none.pem }'))[0]).toContain('/keys/none.pem')
  })

  test.each([
    ['[]', 'control.etcd: want a map'],
    ['{}', 'control.etcd.endpoints: missing'],
    ['{ endpoints: [] }', 'control.etcd.endpoints: want at least one'],
    ['{ endpoints: [198.18.0.9:2379] }', 'control.etcd.endpoints[0]: want http://HOST:PORT'],
    ['{ endpoints: [http://198.18.0.9/v2] }', 'control.etcd.endpoints[0]: want http://HOST:PORT'],
    ['{ endpoints: [http://198.18.0.9], prefix: net }', 'control.etcd.prefix: want a path'],
    ['{ endpoints: [http://198.18.0.9], leaseTtl: 1s }', 'control.etcd.leaseTtl: want 2s at least'],
    ['{ endpoints: [http://198.18.0.9], leaseTtl: 0s }', 'control.etcd.leaseTtl: want 2s at least'],
    ['{ endpoints: [http://198.18.0.9], leaseTtl: 1h, renewMargin: 60m }', 'control.etcd.renewMargin: not shorter'],
    ['{ endpoints: [http://198.18.0.9], username: host }', 'control.etcd.passwordFile: missing'],
    ['{ endpoints: [http://198.18.0.9], ttl: 1h }', 'control.etcd.ttl: unknown key'],
  ])('%s: %s', (etcdText, fault) => {
    const faults = faultsOf(text(etcdText))
    expect(faults).toHaveLength(1)
    expect(faults[0]).toContain(fault)
  })

  test('says everything that is wrong at once, and nothing of a password', () => {
    const { pem, open } = files()
    const faults = faultsOf(
      text(
        `{ endpoints: [http://198.18.0.9], certFile: ${open}, keyFile: ${pem}x, passwordFile: ${open}, leaseTtl: soon }`,
      ),
    ).join('\n')
    expect(faults).toContain('control.etcd.certFile: for https endpoints only')
    expect(faults).toContain('holds nothing in PEM')
    expect(faults).toContain('control.etcd.keyFile: there is no file')
    expect(faults).toContain('control.etcd.passwordFile: others than its owner may use')
    expect(faults).toContain('control.etcd.username: missing, and there is a passwordFile')
    expect(faults).toContain('control.etcd.leaseTtl: want a duration')
    expect(
      faultsOf(text('{ endpoints: [http://198.18.0.9], username: a, passwordFile: [hush] }')).join(),
    ).not.toContain('hush')
  })

  test('needs a restart when it changes', () => {
    const [one, two] = [parse(text('{ endpoints: [http://a] }')), parse(text('{ endpoints: [http://b] }'))]
    expect(unchangeable(one, one)).toEqual([])
    expect(unchangeable(one, two)[0]).toMatch(/^control\.etcd: cannot change live/)
  })
})

test('files are what they should be, or it is said what is wrong', () => {
  const { pem, password, open, empty } = files()
  expect(readPem(pem)).toBeInstanceOf(Buffer)
  expect(readPem('/')).toMatchObject({ what: 'cannot read / (EISDIR)' })
  expect(readPassword(password)).toBeInstanceOf(Secret)
  expect(readPassword(open)).toMatchObject({ mend: `type: chmod 600 ${open}` })
  expect(readPassword(empty)).toMatchObject({ what: `${empty} begins with an empty line` })
  expect(readPassword('/none')).toMatchObject({ isMissing: true })
})
