// Names of Unix sockets: taken only from the dead. A socket is made under a name of its own and then linked into place, so
// that nobody ever sees it half open, and of two programs that start together one wins. Cold.
import { closeSync } from 'node:fs'
import { link, lstat, unlink } from 'node:fs/promises'
import { connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { lockFile } from '../host/addon.ts'

/** Milliseconds: how long to wait for others who look at the name, and between two attempts. */
const PATIENCE = 10_000
const AGAIN = 5

/**
 * Gives the socket `made`, which listens already, the name `path` beside it. False when somebody alive has the name. Throws
 * the kernel's error, and an Error when something that is no socket is in the way, or others hold the lock for ever.
 */
export async function takeName(made: string, path: string): Promise<boolean> {
  if (await linked(made, path)) return true
  // Finding out that the holder is dead and taking its place are two steps; only one of us may be between them.
  const lock = `${path}.lock`
  const fd = await locked(lock)
  try {
    for (;;) {
      if (await linked(made, path)) return true
      const there = await lstat(path).catch(ignoreMissing)
      if (!there) continue
      if (!there.isSocket()) throw new Error(`${path} is in the way and is no socket; remove it`)
      if (await isAlive(path)) return false
      await unlink(path).catch(ignoreMissing)
    }
  } finally {
    await unlink(lock).catch(ignoreMissing)
    closeSync(fd)
  }
}

async function linked(made: string, path: string): Promise<boolean> {
  try {
    await link(made, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    return false
  }
}

async function locked(lock: string): Promise<number> {
  for (let waited = 0; waited < PATIENCE; waited += AGAIN) {
    const fd = lockFile(lock)
    if (fd !== null) return fd
    await pause(AGAIN)
  }
  throw new Error(`${lock} is held by another program; see \`fuser ${lock}\``)
}

/** Removes the name unless somebody else has it by now: `inode` is that of our socket. */
export async function dropName(path: string, inode: bigint): Promise<void> {
  if (await hasName(path, inode)) await unlink(path).catch(ignoreMissing)
}

/** Whether the name is still that of our socket. */
export async function hasName(path: string, inode: bigint): Promise<boolean> {
  const there = await lstat(path, { bigint: true }).catch(ignoreMissing)
  return there?.ino === inode
}

export async function inodeOf(path: string): Promise<bigint> {
  return (await lstat(path, { bigint: true })).ino
}

/** Whether somebody listens at the socket. */
export async function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    // EAGAIN: alive, with a full backlog. EACCES: cannot be told, so it is left alone.
    socket.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code === 'EAGAIN' || error.code === 'EACCES' || error.code === 'EPERM')
    })
  })
}

export function ignoreMissing(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
}
