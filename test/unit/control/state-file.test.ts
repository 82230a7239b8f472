import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, test } from 'vitest'
import * as z from 'zod'
import { loadState, saveState } from '../../../src/control/state-file.ts'
import { temporaryDir } from '../../support/temporary.ts'

const SHAPE = z.object({ version: z.literal(1), list: z.array(z.string()) })

it('what is saved is loaded, and is for its owner alone', () => {
  const path = join(temporaryDir(), 'host-a', 'state.json')
  expect(loadState(path, SHAPE, () => {})).toBeNull()
  saveState(path, { version: 1, list: ['a'] })
  expect(loadState(path, SHAPE, () => {})).toEqual({ version: 1, list: ['a'] })
  expect(statSync(path).mode & 0o777).toBe(0o600)
})

test.each(['', '{', '{"version":2,"list":[]}', '[]'])('%j is put aside, with a word about it', (text) => {
  const dir = temporaryDir()
  const path = join(dir, 'state.json')
  writeFileSync(path, text)
  const said: string[] = []
  expect(loadState(path, SHAPE, (line) => said.push(line))).toBeNull()
  expect(readdirSync(dir)).toEqual(['state.json.bad'])
  expect(said).toEqual([`${path} was not as vtepd writes it: put aside as ${path}.bad`])
})

it('what cannot be read is named, and stays', () => {
  const path = join(temporaryDir(), 'state.json')
  mkdirSync(path)
  const said: string[] = []
  expect(loadState(path, SHAPE, (line) => said.push(line))).toBeNull()
  expect(said[0]).toContain(path)
})
