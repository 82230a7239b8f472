// Two projects: `core` is pure and runs in parallel; `system` touches the machine (addon, namespaces, real peers) and runs
// two files at a time, after it. `npx vitest run --project core` is the quick loop.
import { randomInt } from 'node:crypto'
import { defineConfig } from 'vitest/config'

// Property and fuzz tests draw from this; test/support/announce.ts prints it.
process.env['VTEPD_SEED'] ??= String(randomInt(2 ** 31))

export default defineConfig({
  test: {
    pool: 'forks',
    reporters: ['default', './test/support/skip-reporter.ts'],
    coverage: { provider: 'v8', include: ['src/**/*.ts'] },
    projects: [
      {
        extends: true,
        test: {
          name: 'core',
          include: ['test/*.test.ts', 'test/{unit,property,sim,fuzz}/**/*.test.ts'],
          globalSetup: ['./test/support/announce.ts'],
          testTimeout: 30_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'system',
          include: ['test/{native,netns,interop}/**/*.test.ts'],
          globalSetup: ['./test/support/leftovers.ts'],
          // Each test has namespaces of its own, and mostly waits: two files at a time are what two cores carry.
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
})
