import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ownHome } from '../../../src/cli/own-home.ts'
import { parse } from '../../../src/cli/parse.ts'
import { temporaryDir } from '../../support/temporary.ts'

test('a file that was written and taken back again is no configuration, and no fault', async () => {
  const dir = temporaryDir()
  const parsed = await parse(['invite', 'host-b', '--config-dir', dir], {})
  if (parsed.kind !== 'run') throw new Error(parsed.text)
  const home = await ownHome(parsed.flags)
  expect(home.config()).toBeNull()
  const file = join(dir, 'vtepd.yaml')
  writeFileSync(file, 'networks: { blue: { vni: 42, security: plain } }\n')
  await home.reload()
  expect(home.config()).toMatchObject({ networks: [{ name: 'blue' }] })
  rmSync(file)
  await home.reload()
  expect(home.config()).toBeNull()
})
