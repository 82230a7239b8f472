// subnet.env, and people and programs that do something to it.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { SubnetFile } from '../../../../src/control/flannel/subnet-file.ts'
import { temporaryDir } from '../../../support/temporary.ts'

const TEXT = 'FLANNEL_NETWORK=10.5.0.0/16\nFLANNEL_SUBNET=10.5.72.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n'

let dir = ''
let path = ''
let file: SubnetFile

beforeEach(() => {
  dir = join(temporaryDir(), 'run')
  path = join(dir, 'subnet.env')
  file = new SubnetFile()
  file.set(path, TEXT)
})

describe('subnet.env is put back', () => {
  test.each<[string, string, () => void]>([
    ['after it was deleted', 'missing', () => rmSync(path)],
    ['with its directory', 'missing', () => rmSync(dir, { recursive: true })],
    ['after it was altered', 'altered', () => writeFileSync(path, TEXT.replace('1450', '1500'))],
    ['after it was emptied', 'altered', () => writeFileSync(path, '')],
    ['after it was hidden', 'of mode 0600', () => chmodSync(path, 0o600)],
    [
      'in place of a link',
      'no file',
      () => {
        rmSync(path)
        symlinkSync('/dev/null', path)
      },
    ],
  ])('%s', (_, have, damage) => {
    expect(file.check(1000)).toEqual([])
    damage()
    expect(file.check(1500)).toEqual([{ reason: 'subnet-env', count: 1, text: `subnet.env was ${have}: put back` }])
    expect(readFileSync(path, 'utf8')).toBe(TEXT)
    expect(statSync(path).mode & 0o777).toBe(0o644)
    expect(readdirSync(dir)).toEqual(['subnet.env'])
    expect([file.check(2000), file.undesired()]).toEqual([[], []])
  })
})

test('what cannot be put back is named, and is put back when it can', () => {
  rmSync(path)
  mkdirSync(path)
  writeFileSync(join(path, 'x'), '')
  expect(file.check(1000)).toEqual([])
  expect(file.undesired()).toMatchObject([{ what: 'subnet.env', where: path, want: 'present', since: 1 }])
  rmSync(path, { recursive: true })
  expect(file.check(1500)).toHaveLength(1)
  expect(file.undesired()).toEqual([])
})

test('another place has it alone, and nobody has it once it is not wanted', () => {
  const other = join(dir, 'other.env')
  file.set(other, TEXT)
  expect(readdirSync(dir)).toEqual(['other.env'])
  file.remove()
  expect(file.check(1000)).toEqual([])
  expect(existsSync(other)).toBe(false)
})

test('a place that cannot be written is the caller’s business', () => {
  writeFileSync(join(dir, 'plain'), '')
  expect(() => file.set(join(dir, 'plain', 'subnet.env'), TEXT)).toThrow(/ENOTDIR|EEXIST/)
})
