import { expect, it } from 'vitest'
import { agentEnvironment } from '../../../src/cli/start-agent.ts'

it('gives an agent neither our flags nor the service manager of whoever starts it', () => {
  const env = {
    PATH: '/usr/bin',
    VTEPD_NETWORK: 'blue',
    NOTIFY_SOCKET: '@manager',
    WATCHDOG_USEC: '30000000',
    WATCHDOG_PID: '1',
  }
  expect(agentEnvironment(env)).toEqual({ PATH: '/usr/bin' })
})
