// What figures depend on: said above every table, so that nobody compares what cannot be compared.
import { spawnSync } from 'node:child_process'
import { cpus, release, totalmem } from 'node:os'

export function environment(): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown'
  const memory = Math.round(totalmem() / 1e9)
  return (
    `commit ${commit()} · Node ${process.versions.node} (V8 ${process.versions.v8}) · Linux ${release()}\n` +
    `${cpus().length} × ${model}, ${memory} GB\n`
  )
}

function commit(): string {
  const git = (...args: string[]): string => spawnSync('git', args, { encoding: 'utf8' }).stdout?.trim() ?? ''
  const hash = git('rev-parse', '--short', 'HEAD')
  if (hash === '') return 'unknown'
  return git('status', '--porcelain') === '' ? hash : `${hash} with changes`
}
