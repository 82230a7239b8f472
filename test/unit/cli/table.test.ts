import { describe, expect, test } from 'vitest'
import { paintFor } from '../../../src/cli/output.ts'
import { table } from '../../../src/cli/table.ts'

const plain = paintFor({}, {})
const COLUMNS = [{ title: 'NAME' }, { title: 'N', right: true }, { title: 'WHY' }]

describe('a table', () => {
  test('has words to the left, numbers to the right, and no blanks at the end', () => {
    const text = table(
      COLUMNS,
      [
        ['a', '1', ''],
        ['long-name', '12345', 'because'],
      ],
      plain,
    )
    expect(text).toBe('NAME           N  WHY\na              1  -\nlong-name  12345  because\n')
  })

  test('without rows is nothing', () => expect(table(COLUMNS, [], plain)).toBe(''))

  test('shows nothing that a terminal would obey', () => {
    const text = table([{ title: 'X' }], [['a\x1b[31mb\nc\x9b\x7f\u{85}']], plain)
    expect(text).toBe('X\na?[31mb?c???\n')
  })

  test('holds 10^5 rows', () => {
    const rows = Array.from({ length: 100_000 }, (_, i) => [String(i)])
    expect(table([{ title: 'N', right: true }], rows, plain)).toHaveLength(100_001 * 6)
  })

  test('is bold in its titles on a terminal alone', () => {
    const titles = (stream: { isTTY?: boolean }, env: NodeJS.ProcessEnv): string =>
      table([{ title: 'X' }], [['a']], paintFor(stream, env)).split('\n')[0]!
    expect(titles({ isTTY: true }, {})).toBe('\x1b[1mX\x1b[0m')
    expect(titles({ isTTY: true }, { NO_COLOR: '1' })).toBe('X')
    // no-color.org: set and not empty.
    expect(titles({ isTTY: true }, { NO_COLOR: '' })).toBe('\x1b[1mX\x1b[0m')
    expect(titles({ isTTY: true }, { TERM: 'dumb' })).toBe('X')
    expect(titles({ isTTY: false }, {})).toBe('X')
  })
})
