// Whether a socket of ours still has its name: the kernel is asked to tell (inotify(7)), and where it cannot the name is looked at.
// Does not keep the process alive. Cold.
import { type FSWatcher, watch } from 'node:fs'
import { dirname } from 'node:path'
import { hasName } from './socket-name.ts'

/** Milliseconds between looks where the kernel cannot watch for us. */
const LOOK = 1000

export class NameWatch {
  private readonly path: string
  private readonly inode: bigint
  private readonly gone: () => void
  private watcher: FSWatcher | null = null
  private timer: NodeJS.Timeout | null = null
  private isOver = false

  /** `inode`: of the socket. `gone` is called once, when the name is no more or another's, but not after `close`. */
  constructor(path: string, inode: bigint, gone: () => void) {
    this.path = path
    this.inode = inode
    this.gone = gone
    try {
      this.watcher = watch(dirname(path), { persistent: false }, () => this.look())
      this.watcher.on('error', () => this.lookOften())
    } catch {
      this.lookOften()
    }
    // It may have gone while nobody watched.
    this.look()
  }

  close(): void {
    this.isOver = true
    this.watcher?.close()
    if (this.timer) clearInterval(this.timer)
  }

  // inotify(7) has its limits, of watches and of file systems.
  private lookOften(): void {
    this.watcher?.close()
    this.watcher = null
    if (!this.isOver) this.timer ??= setInterval(() => this.look(), LOOK).unref()
  }

  private look(): void {
    hasName(this.path, this.inode).then(
      (isOurs) => {
        if (isOurs || this.isOver) return
        this.close()
        this.gone()
      },
      () => this.lookOften(),
    )
  }
}
