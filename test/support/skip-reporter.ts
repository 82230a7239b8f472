// Prints why tests were skipped, once per reason: a skip must not pass for a success. The reason is the note of
// `context.skip(note)`, or the title of the suite (test/support/root.ts puts it there).
import type { Reporter, TestCase, TestModule } from 'vitest/node'

export default class SkipReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const counts = new Map<string, number>()
    for (const module of modules) {
      for (const test of module.children.allTests('skipped')) {
        const reason = `${module.relativeModuleId}: ${why(test)}`
        counts.set(reason, (counts.get(reason) ?? 0) + 1)
      }
    }
    for (const [reason, n] of counts) process.stdout.write(`skipped ${n}: ${reason}\n`)
  }
}

function why(test: TestCase): string {
  const result = test.result()
  const note = result.state === 'skipped' ? result.note : undefined
  if (note) return note
  return test.parent.type === 'suite' ? test.parent.fullName : test.fullName
}
