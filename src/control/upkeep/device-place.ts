// In which namespace a TUN or TAP device is, and under which name: somebody may have moved or renamed it. Its file descriptor
// knows it wherever it goes. Cold.
import { closeSync, fstatSync, openSync, statSync } from 'node:fs'
import { tunName, tunNetns } from '../../host/addon.ts'
import * as netdev from '../../host/netdev.ts'

const OWN = '/proc/thread-self/ns/net'

export class DevicePlace {
  /** Path of the namespace that it belongs in; null: the agent's own. */
  readonly home: string | null
  /** Path of the namespace that it is in. */
  netns: string | null
  name: string
  /** Of a namespace that may have no name; -1: it is at home. */
  private away = -1

  constructor(home: string | null, name: string) {
    this.home = home
    this.netns = home
    this.name = name
  }

  get isHome(): boolean {
    return this.away < 0
  }

  /** Looks again. False: it is gone. */
  look(fd: number): boolean {
    try {
      this.name = tunName(fd)
    } catch {
      return false
    }
    let now: number
    try {
      now = tunNetns(fd)
    } catch {
      // Gone, or a kernel that cannot tell (before 5.8): nothing to follow.
      return true
    }
    if (isSame(now, this.netns)) closeSync(now)
    else if (isSame(now, this.home)) {
      closeSync(now)
      this.settle(-1)
    } else this.settle(now)
    return true
  }

  /** Brings it home, down and without addresses. Throws when its name is taken there, or home is no more. */
  bringHome(): void {
    const link = netdev.link(this.name, this.netns)
    if (!link) return
    const fd = openSync(this.home ?? OWN, 'r')
    try {
      netdev.moveLink(link.index, fd, this.netns)
    } finally {
      closeSync(fd)
    }
    this.settle(-1)
  }

  close(): void {
    this.settle(-1)
  }

  // fd -1: home.
  private settle(fd: number): void {
    if (this.away >= 0) closeSync(this.away)
    this.away = fd
    this.netns = fd < 0 ? this.home : `/proc/self/fd/${fd}`
  }
}

// A namespace that its path no longer names is none that anything is in.
function isSame(fd: number, path: string | null): boolean {
  try {
    const a = fstatSync(fd)
    const b = statSync(path ?? OWN)
    return a.ino === b.ino && a.dev === b.dev
  } catch {
    return false
  }
}
