import { existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { makeDirectory } from '../../../src/control/directory.ts'
import { temporaryDir } from '../../support/temporary.ts'

const umask = process.umask()

afterEach(() => {
  process.umask(umask)
})

test('all that is missing is made, for all to enter, whatever the umask is', () => {
  const dir = temporaryDir()
  process.umask(0o077)
  expect(makeDirectory(join(dir, 'a', 'b', 'c'))).toBe(join(dir, 'a'))
  for (const path of ['a', 'a/b', 'a/b/c']) expect(statSync(join(dir, path)).mode & 0o777).toBe(0o755)
})

test('what is there stays as it is', () => {
  const dir = temporaryDir()
  mkdirSync(join(dir, 'a'), { mode: 0o700 })
  expect(makeDirectory(join(dir, 'a'))).toBeNull()
  expect(statSync(join(dir, 'a')).mode & 0o777).toBe(0o700)
  symlinkSync(join(dir, 'a'), join(dir, 'link'))
  expect(makeDirectory(join(dir, 'link'))).toBeNull()
  expect(makeDirectory(join(dir, 'link', 'b'))).toBe(join(dir, 'link', 'b'))
})

test('what cannot be is refused at once', () => {
  const dir = temporaryDir()
  writeFileSync(join(dir, 'file'), '')
  symlinkSync(join(dir, 'nowhere', 'deep'), join(dir, 'dangling'))
  expect(() => makeDirectory(join(dir, 'file'))).toThrow(/EEXIST/)
  expect(() => makeDirectory(join(dir, 'file', 'a'))).toThrow(/ENOTDIR/)
  expect(() => makeDirectory(join(dir, 'dangling'))).toThrow(/EEXIST/)
  // Node's own call never comes back from this one.
  expect(() => makeDirectory('/proc/vtepd/run')).toThrow(/ENOENT/)
  expect(existsSync('/proc/vtepd')).toBe(false)
})
