import { describe, expect, test } from 'vitest'
import { createAgent } from '../../src/index.ts'

function faultsOf(config: unknown): readonly string[] {
  try {
    createAgent(config as object)
  } catch (error) {
    return (error as { faults: readonly string[] }).faults
  }
  throw new Error('nothing is wrong')
}

describe('createAgent', () => {
  test('names every fault by its path, and no line of what has none', () => {
    expect(
      faultsOf({ networks: { blue: { vni: 'x', security: 'plain' }, red: { vni: 3, security: 'plain', vin: 4 } } }),
    ).toEqual([
      'networks.blue.vni: want 0..16777215, got "x"; write a number in that range, without quotes',
      'networks.red.vin: unknown key; did you mean vni?',
    ])
  })

  test.each([[undefined], [null], [1], [[]]])('takes %s for a configuration that is none', (config) => {
    expect(faultsOf(config)).toEqual([expect.stringMatching(/^configuration: [^(]+$/)])
  })

  test('answers nothing before it starts, and stops at once', async () => {
    const agent = createAgent({ networks: {} })
    expect(() => agent.status()).toThrow('the agent does not run')
    await agent.stop()
  })
})
