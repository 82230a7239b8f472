import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { confPath, FileChange, freeConfName, isOnlyPeer, isOurs } from '../../../../src/control/join/conf-files.ts'
import { readKeyFile } from '../../../../src/control/key-file.ts'
import { Secret } from '../../../../src/control/secret.ts'
import { temporaryDir } from '../../../support/temporary.ts'

const ABOUT = ['host b.', 'Remove it.']

describe('a file of ours', () => {
  it('says what it is, is for its owner alone, and leaves no other name behind', () => {
    const dir = temporaryDir()
    const path = confPath(dir, 'b')
    new FileChange().configuration(path, ABOUT, { peers: { b: { networks: ['blue'] } } })
    const text = '# Written by vtepd: host b.\n# Remove it.\npeers:\n  b:\n    networks:\n      - blue\n'
    expect(readFileSync(path, 'utf8')).toBe(text)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readdirSync(join(dir, 'conf.d'))).toEqual(['b.yaml'])
    expect([isOurs(path), isOnlyPeer(path, 'b'), isOnlyPeer(path, 'c')]).toEqual([true, true, false])
    expect(freeConfName(dir, 'b')).toBe('b-2')
    expect(freeConfName(dir, 'fd00::1')).toBe('fd00__1')
  })

  it('takes the place of another of ours, and never of somebody else’s', () => {
    const dir = temporaryDir()
    const path = join(dir, 'b.yaml')
    new FileChange().configuration(path, ABOUT, { peers: {} })
    new FileChange().configuration(path, ABOUT, { node: 'b' })
    expect(readFileSync(path, 'utf8')).toContain('node: b')
    writeFileSync(path, 'node: mine\n')
    expect(isOurs(path)).toBe(false)
    expect(() => new FileChange().configuration(path, ABOUT, {})).toThrow('vtepd did not write it')
    expect(readFileSync(path, 'utf8')).toBe('node: mine\n')
  })

  it('may hold a key, as a configuration names it', () => {
    const path = join(temporaryDir(), 'key')
    const key = new Secret(new Uint8Array(32).fill(9))
    new FileChange().key(path, key)
    expect((readKeyFile(path, 'vtepd genkey') as Secret).equals(key)).toBe(true)
  })

  it('that cannot be written is named', () => {
    const dir = temporaryDir()
    writeFileSync(join(dir, 'conf.d'), '')
    expect(() => new FileChange().configuration(confPath(dir, 'b'), ABOUT, {})).toThrow(join(dir, 'conf.d'))
  })
})

describe('a change that is taken back', () => {
  it('leaves what was there before, and no directory that was not', () => {
    const dir = temporaryDir()
    writeFileSync(join(dir, 'old'), 'before')
    writeFileSync(join(dir, 'gone'), 'before')
    const change = new FileChange()
    change.put(join(dir, 'old'), Buffer.from('after'))
    change.put(join(dir, 'old'), Buffer.from('later'))
    change.put(join(dir, 'a', 'b', 'new'), Buffer.from('new'))
    change.remove(join(dir, 'gone'))
    change.remove(join(dir, 'never'))
    expect(change.written).toEqual([join(dir, 'old'), join(dir, 'old'), join(dir, 'a', 'b', 'new')])
    expect(existsSync(join(dir, 'gone'))).toBe(false)
    change.undo()
    expect(readdirSync(dir).sort()).toEqual(['gone', 'old'])
    expect(readFileSync(join(dir, 'old'), 'utf8')).toBe('before')
    expect(change.written).toEqual([])
    change.undo()
    expect(readdirSync(dir).sort()).toEqual(['gone', 'old'])
  })

  it('leaves a directory in which somebody has put something', () => {
    const dir = temporaryDir()
    const change = new FileChange()
    change.put(join(dir, 'a', 'new'), Buffer.from('new'))
    writeFileSync(join(dir, 'a', 'theirs'), '')
    change.undo()
    expect(readdirSync(join(dir, 'a'))).toEqual(['theirs'])
  })
})
