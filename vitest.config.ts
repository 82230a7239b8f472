// Two projects: `core` is pure; `system` touches the machine (addon, namespaces, real peers). Both run at once, two files at a
// time: one waits while the other computes. `npx vitest run --project core` is the quick loop.
import { randomInt } from 'node:crypto'
import { defineConfig } from 'vitest/config'
import { LongestFirst } from './test/support/longest-first.ts'

// Property and fuzz tests draw from this; test/support/announce.ts prints it.
process.env['VTEPD_SEED'] ??= String(randomInt(2 ** 31))

export default defineConfig({
  test: {
    pool: 'forks',
    // One for each core of a small machine; vitest would leave one of two idle.
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    reporters: ['default', './test/support/skip-reporter.ts'],
    coverage: { provider: 'v8', include: ['src/**/*.ts'] },
    projects: [
      {
        extends: true,
        test: {
          name: 'core',
          include: ['test/*.test.ts', 'test/{unit,property,sim,fuzz}/**/*.test.ts'],
          globalSetup: ['./test/support/announce.ts'],
          // Nothing here changes what is global, so files need no process of their own.
          isolate: false,
          testTimeout: 30_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'system',
          include: ['test/{native,netns,interop}/**/*.test.ts'],
          globalSetup: ['./test/support/leftovers.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
})
