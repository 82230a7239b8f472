// One end of a transfer, run on a host of a lab by transfer.ts. Plain JavaScript: every Node runs it as it is.
//   tcp-sink ADDRESS PORT            says "listening", then the digest of what one connection brought
//   tcp-source ADDRESS PORT BYTES SEED   sends, then says the digest of what it sent
//   udp-echo ADDRESS PORT            says "listening", sends every datagram back until it is killed
//   udp-source ADDRESS PORT SEED COUNT SIZE…   sends datagrams of these sizes and compares what comes back; says {sent, right, wrong}
// Bytes are a keystream of the seed (AES-CTR), so that no two places of a transfer look alike.
import { createCipheriv, createHash } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { createConnection, createServer, isIPv6 } from 'node:net'

const CHUNK = 256 * 1024
/** Datagrams on their way, milliseconds until one is sent again, and how often. */
const WINDOW = 8
const AGAIN = 300
const TRIES = 10

function keystream(seed) {
  const key = createHash('sha256').update(String(seed)).digest().subarray(0, 16)
  const cipher = createCipheriv('aes-128-ctr', key, Buffer.alloc(16))
  return (size) => cipher.update(Buffer.alloc(size))
}

function say(value) {
  process.stdout.write(`${typeof value === 'string' ? value : JSON.stringify(value)}\n`)
}

function tcpSink(address, port) {
  const server = createServer((socket) => {
    server.close()
    const hash = createHash('sha256')
    let bytes = 0
    socket.on('data', (chunk) => {
      hash.update(chunk)
      bytes += chunk.length
    })
    socket.on('end', () => {
      say({ bytes, digest: hash.digest('hex') })
      socket.end()
    })
  })
  server.listen(Number(port), address, () => say('listening'))
}

function tcpSource(address, port, size, seed) {
  const next = keystream(seed)
  const hash = createHash('sha256')
  let left = Number(size)
  const socket = createConnection({ host: address, port: Number(port) })
  const pump = () => {
    while (left > 0) {
      const chunk = next(Math.min(CHUNK, left))
      left -= chunk.length
      hash.update(chunk)
      if (!socket.write(chunk)) return
    }
    socket.end()
  }
  socket.on('connect', pump)
  socket.on('drain', pump)
  socket.resume()
  socket.on('close', (failed) => {
    if (!failed) say({ bytes: Number(size), digest: hash.digest('hex') })
  })
}

function udpSocket(address) {
  return createSocket(isIPv6(address) ? 'udp6' : 'udp4')
}

function udpEcho(address, port) {
  const socket = udpSocket(address)
  socket.on('message', (bytes, from) => socket.send(bytes, from.port, from.address))
  socket.bind(Number(port), address, () => say('listening'))
}

function udpSource(address, port, seed, count, ...sizes) {
  const socket = udpSocket(address)
  const next = keystream(seed)
  const total = Number(count) * sizes.length
  const open = new Map()
  let begun = 0
  let right = 0
  let wrong = 0
  const launch = () => {
    while (open.size < WINDOW && begun < total) {
      const bytes = next(Number(sizes[begun % sizes.length]))
      bytes.writeUInt32BE(begun, 0)
      open.set(begun, { bytes, tries: 1, timer: setInterval(again, AGAIN, begun) })
      socket.send(bytes, Number(port), address, ignored)
      begun++
    }
    if (open.size > 0) return
    socket.close()
    say({ sent: total, right, wrong })
  }
  const again = (id) => {
    const one = open.get(id)
    if (one.tries++ < TRIES) {
      socket.send(one.bytes, Number(port), address, ignored)
      return
    }
    settle(id)
  }
  const settle = (id) => {
    clearInterval(open.get(id).timer)
    open.delete(id)
    launch()
  }
  socket.on('message', (bytes) => {
    const id = bytes.readUInt32BE(0)
    const one = open.get(id)
    // An echo of what was sent twice.
    if (!one) return
    if (bytes.equals(one.bytes)) right++
    else wrong++
    settle(id)
  })
  // ICMP answers come as errors of the next call: sending again is the remedy.
  socket.on('error', ignored)
  socket.bind(0, launch)
}

function ignored() {}

const [what, ...rest] = process.argv.slice(2)
const roles = { 'tcp-sink': tcpSink, 'tcp-source': tcpSource, 'udp-echo': udpEcho, 'udp-source': udpSource }
roles[what](...rest)
