// Directories and files that live as long as a test.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** An empty directory, gone when the test ends. Its path is short enough for a Unix socket. */
export function temporaryDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'vtepd-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

/** Path of a configuration file with this text, in a directory of its own. */
export function temporaryFile(text: string): string {
  const path = join(temporaryDir(), 'vtepd.yaml')
  writeFileSync(path, text)
  return path
}
