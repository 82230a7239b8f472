import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { ServiceManager } from '../../../src/cli/service-manager.ts'

let room: number
let heard: string[]
let warned: string[]
let manager: ServiceManager

function send(state: string): boolean {
  if (room === 0) return false
  room--
  heard.push(state)
  return true
}

beforeEach(() => {
  vi.useFakeTimers()
  room = 100
  heard = []
  warned = []
  manager = new ServiceManager({ warn: (line: string) => warned.push(line) }, send)
})
afterEach(() => {
  vi.useRealTimers()
})

describe('a service manager', () => {
  test('hears states and signs of life in order', () => {
    manager.tell('READY=1')
    manager.beat('WATCHDOG=1')
    manager.tell('STOPPING=1')
    expect(heard).toEqual(['READY=1', 'WATCHDOG=1', 'STOPPING=1'])
  })

  test('without room hears every state later, in order, and no stale sign of life', () => {
    room = 0
    manager.tell('RELOADING=1')
    manager.beat('WATCHDOG=1')
    manager.tell('READY=1')
    vi.advanceTimersByTime(1000)
    expect(heard).toEqual([])
    room = 1
    vi.advanceTimersByTime(1000)
    expect(heard).toEqual(['RELOADING=1'])
    room = 100
    manager.tell('STOPPING=1')
    vi.advanceTimersByTime(1000)
    manager.beat('WATCHDOG=1')
    expect(heard).toEqual(['RELOADING=1', 'READY=1', 'STOPPING=1', 'WATCHDOG=1'])
  })

  test('that cannot be told costs a line in the log, and nothing waits for it', () => {
    manager = new ServiceManager({ warn: (line: string) => warned.push(line) }, () => {
      throw new Error('ECONNREFUSED')
    })
    manager.tell('RELOADING=1\nMONOTONIC_USEC=1')
    manager.tell('READY=1')
    expect(warned).toEqual([
      'cannot tell the service manager RELOADING=1: ECONNREFUSED',
      'cannot tell the service manager READY=1: ECONNREFUSED',
    ])
    expect(vi.getTimerCount()).toBe(0)
  })
})
