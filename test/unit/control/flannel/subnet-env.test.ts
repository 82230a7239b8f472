import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { keyOf } from '../../../../src/control/flannel/lease.ts'
import {
  parseSubnetEnv,
  readSubnetEnv,
  subnetEnvText,
  writeSubnetEnv,
} from '../../../../src/control/flannel/subnet-env.ts'
import { DUAL, storeConfig } from '../../../support/flannel.ts'

const FOUR = {
  config: storeConfig('{"Network":"10.5.0.0/16"}'),
  own: { subnet: '10.5.72.0/24', subnet6: null },
  mtu: 1450,
  masquerade: false,
}
const FOUR_TEXT = 'FLANNEL_NETWORK=10.5.0.0/16\nFLANNEL_SUBNET=10.5.72.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n'

describe('the text', () => {
  test('has the lines that flanneld writes', () => {
    expect(subnetEnvText(FOUR)).toBe(FOUR_TEXT)
    const own = { subnet: '10.42.7.0/24', subnet6: 'fd00:42:0:7::/64' }
    expect(subnetEnvText({ config: storeConfig(DUAL), own, mtu: 1430, masquerade: true })).toBe(
      'FLANNEL_NETWORK=10.42.0.0/16\nFLANNEL_SUBNET=10.42.7.1/24\nFLANNEL_IPV6_NETWORK=fd00:42::/48\n' +
        'FLANNEL_IPV6_SUBNET=fd00:42:0:7::1/64\nFLANNEL_MTU=1430\nFLANNEL_IPMASQ=true\n',
    )
  })

  test('is read back as the subnet that it was', () => {
    expect(keyOf(parseSubnetEnv(FOUR_TEXT)!)).toBe('10.5.72.0-24')
    expect(keyOf(parseSubnetEnv('FLANNEL_SUBNET=10.42.7.1/24\nFLANNEL_IPV6_SUBNET=fd00:42:0:7::1/64')!)).toBe(
      '10.42.7.0-24&fd00:42:0:7::-64',
    )
    for (const text of ['', 'FLANNEL_SUBNET=', 'FLANNEL_SUBNET=fd00::1/64', 'FLANNEL_SUBNET="10.5.72.1/24"\n=\n']) {
      expect(parseSubnetEnv(text), text).toBeNull()
    }
  })
})

describe('the file', () => {
  let dir = ''
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'vtepd-env-'))
  })
  afterEach(() => rmSync(dir, { recursive: true }))

  test('is for all to read, and nothing is left beside it', () => {
    const path = join(dir, 'run', 'subnet.env')
    const mask = process.umask(0o077)
    try {
      writeSubnetEnv(path, FOUR_TEXT)
      writeSubnetEnv(path, FOUR_TEXT.replace('1450', '1400'))
    } finally {
      process.umask(mask)
    }
    expect(readFileSync(path, 'utf8')).toBe(FOUR_TEXT.replace('1450', '1400'))
    expect(statSync(path).mode & 0o777).toBe(0o644)
    expect(readdirSync(join(dir, 'run'))).toEqual(['subnet.env'])
    expect(keyOf(readSubnetEnv(path)!)).toBe('10.5.72.0-24')
  })

  test('may not be there, or be no file', () => {
    expect(readSubnetEnv(join(dir, 'none'))).toBeNull()
    expect(readSubnetEnv(dir)).toBeNull()
    writeFileSync(join(dir, 'odd'), Buffer.from([0xff, 0, 1]))
    expect(readSubnetEnv(join(dir, 'odd'))).toBeNull()
  })
})
