// Directories that live as long as a test.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** An empty directory, gone when the test ends. Its path is short enough for a Unix socket. */
export function temporaryDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'vtepd-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}
