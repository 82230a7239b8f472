// Something that one process of a network namespace has at a time, and loses when it ends, however that happens: an abstract
// Unix socket (unix(7)), whose names belong to the namespace. Nobody speaks over it. Cold.
import { createServer } from 'node:net'

export interface Claim {
  release(): Promise<void>
}

/** null: another process has it. */
export function claim(name: string): Promise<Claim | null> {
  const server = createServer((socket) => socket.destroy())
  server.unref()
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(null)
      else reject(error)
    })
    server.listen({ path: `\0${name}` }, () => {
      resolve({ release: () => new Promise((done) => server.close(() => done())) })
    })
  })
}
