// This package: where it lies and which version it is. This file runs from src/, inside the bundles of dist/ and from copies of
// both: the package is the nearest one above it that is called vtepd. Cold.
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

interface Package {
  readonly root: string
  readonly version: string
}

function find(): Package {
  for (let root = dirname(fileURLToPath(import.meta.url)); ; root = dirname(root)) {
    const file = join(root, 'package.json')
    if (existsSync(file)) {
      const { name, version } = JSON.parse(readFileSync(file, 'utf8')) as { name?: string; version: string }
      if (name === 'vtepd') return { root, version }
    }
    if (dirname(root) === root) throw new Error('this file lies outside of the vtepd package')
  }
}

export const { root: packageRoot, version } = find()
