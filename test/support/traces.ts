// What a process group has left on this machine: for tests of programs that promise to clean up.
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'

const NAMESPACES = '/run/netns'
/** Fields of /proc/PID/stat behind the command's name. */
const STATE = 0
const PGRP = 2

/** Namespaces of all labs that process `pid` made. */
export function namespacesOf(pid: number): string[] {
  return list(NAMESPACES).filter((name) => new RegExp(`^vtepd-${pid}[.-]`).test(name))
}

/** Command lines of the processes of a group that have not ended. */
export function processesOf(group: number): string[] {
  return list('/proc')
    .filter((pid) => /^\d+$/.test(pid))
    .filter((pid) => fieldsOf(pid)[PGRP] === String(group) && !hasEnded(pid))
    .map((pid) => `${pid} ${read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')}`)
}

/** Whether a process has ended, also when init, whose child it was, has not yet taken note of it: that takes some a second. */
export function hasEnded(pid: number | string): boolean {
  const state = fieldsOf(pid)[STATE]
  return state === undefined || state === 'Z'
}

function fieldsOf(pid: number | string): string[] {
  const stat = read(`/proc/${pid}/stat`)
  return stat === '' ? [] : stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

/** Asks until the answer satisfies; the last answer in any case. */
export async function settled<T>(ask: () => T, enough: (answer: T) => boolean, patience = 5000): Promise<T> {
  const end = performance.now() + patience
  let answer = ask()
  while (!enough(answer) && performance.now() < end) {
    await pause(20)
    answer = ask()
  }
  return answer
}

function list(dir: string): string[] {
  try {
    return readdirSync(dir)
  } catch {
    return []
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
