// Names of Unix sockets: taken only from the dead. A socket is made under a name of its own and then linked into place, so
// that nobody ever sees it half open, and of two programs that start together one wins. Cold.
import { link, lstat, rename, unlink } from 'node:fs/promises'
import { connect } from 'node:net'

/**
 * Gives the socket `made`, which listens already, the name `path` beside it. False when somebody alive has the name. Throws
 * the kernel's error, and an Error when something that is no socket is in the way, or the name comes and goes.
 */
export async function takeName(made: string, path: string): Promise<boolean> {
  for (let tries = 0; tries < 5; tries++) {
    try {
      await link(made, path)
      return true
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const there = await lstat(path).catch(ignoreMissing)
    if (!there) continue
    if (!there.isSocket()) throw new Error(`${path} is in the way and is no socket; remove it`)
    if (await isAlive(path)) return false
    await bury(path, `${made}~`)
  }
  throw new Error(`${path} comes and goes: others are starting beside us`)
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

// Moved aside before it is removed: who took the name since we looked keeps it.
async function bury(path: string, aside: string): Promise<void> {
  try {
    await rename(path, aside)
  } catch (error) {
    ignoreMissing(error)
    return
  }
  if (await isAlive(aside)) await link(aside, path).catch(() => {})
  await unlink(aside)
}
