import { describe, expect, test } from 'vitest'
import { explain } from '../../../src/cli/exit.ts'
import { parseWgOptions, WG_HELP } from '../../../src/cli/wg-options.ts'

const RUN = { interface: 'wg0', isForeground: false, level: 'error', isLevelGiven: false }

describe('vtepd-wg', () => {
  test.each<[string, string[], NodeJS.ProcessEnv, object]>([
    ['an interface', ['wg0'], {}, RUN],
    ['-f', ['-f', 'wg0'], {}, { ...RUN, isForeground: true }],
    ['--foreground behind it', ['wg0', '--foreground'], {}, { ...RUN, isForeground: true }],
    ['WG_PROCESS_FOREGROUND=1', ['wg0'], { WG_PROCESS_FOREGROUND: '1' }, { ...RUN, isForeground: true }],
    ['WG_PROCESS_FOREGROUND=0', ['wg0'], { WG_PROCESS_FOREGROUND: '0' }, RUN],
    ['LOG_LEVEL=verbose', ['wg0'], { LOG_LEVEL: 'verbose' }, { ...RUN, level: 'debug', isLevelGiven: true }],
    ['LOG_LEVEL=debug', ['wg0'], { LOG_LEVEL: 'debug' }, { ...RUN, level: 'debug', isLevelGiven: true }],
    ['LOG_LEVEL=error', ['wg0'], { LOG_LEVEL: 'error' }, { ...RUN, isLevelGiven: true }],
    ['LOG_LEVEL=silent', ['wg0'], { LOG_LEVEL: 'silent' }, { ...RUN, level: null }],
    ['a LOG_LEVEL that is none', ['wg0'], { LOG_LEVEL: 'constructor' }, { ...RUN, isLevelGiven: true }],
    ['an empty LOG_LEVEL', ['wg0'], { LOG_LEVEL: '' }, RUN],
    ['a name of fifteen bytes', ['a'.repeat(15)], {}, { ...RUN, interface: 'a'.repeat(15) }],
    ['every letter that a name may have', ['wg-a_b.c+d=e@f'], {}, { ...RUN, interface: 'wg-a_b.c+d=e@f' }],
    ['a name after --', ['--', '-x'], {}, { ...RUN, interface: '-x' }],
  ])('takes %s', (_what, args, env, options) => {
    expect(parseWgOptions(args, env)).toEqual({ kind: 'run', options })
  })

  test.each([
    ['--help', 'help'],
    ['-h', 'help'],
    ['--version', 'version'],
  ])('%s goes before anything else', (flag, kind) => {
    expect(parseWgOptions([flag, '--nonsense'], {})).toEqual({ kind })
    expect(parseWgOptions(['wg0', 'wg1', flag], {})).toEqual({ kind })
  })

  test.each<[string[], RegExp]>([
    [[], /no interface/],
    [['wg0', 'wg1'], /one interface at a time/],
    [['--', 'wg0', 'wg1'], /one interface at a time/],
    [['-x', 'wg0'], /there is no flag -x/],
    [[''], /want 1 to 15 bytes/],
    [['a'.repeat(16)], /want 1 to 15 bytes/],
    [['.'], /want letters, digits/],
    [['..'], /want letters, digits/],
    [['a/b'], /want letters, digits/],
    [['../wg0'], /want letters, digits/],
    [['wg%d'], /want letters, digits/],
    [['wg 0'], /want letters, digits/],
    [['wg:0'], /want letters, digits/],
    [['wg\n0'], /want letters, digits/],
    [['wgé'], /want letters, digits/],
    [['lo'], /the kernel's own/],
    [['all'], /the kernel's own/],
    [['default'], /the kernel's own/],
  ])('refuses %j with exit code 2', (args, message) => {
    expect(() => parseWgOptions(args, {})).toThrow(
      expect.objectContaining({ exitCode: 2, message: expect.stringMatching(message) }),
    )
  })

  test('says how it is called', () => {
    expect(WG_HELP).toContain('vtepd-wg IFACE')
    try {
      parseWgOptions([], {})
      expect.fail('no fault')
    } catch (error) {
      expect(explain(error)).toBe('vtepd: no interface is named: usage: vtepd-wg IFACE\n')
    }
  })
})
