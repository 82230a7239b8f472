// Sends datagrams of seeded chance to one address: storm-child.mjs ADDRESS PORT VNI COUNT SEED. Says how many it sent.
// A third is noise from the first byte, a third has a right VXLAN header before noise, a third a real frame with bytes
// changed and ends cut. Plain JavaScript: every Node runs it as it is.
import { createSocket } from 'node:dgram'
import { isIPv6 } from 'node:net'

const [address, port, vni, count, seed] = process.argv.slice(2)
const FRAME = Buffer.from(
  'ffffffffffff020000000099080045000054000140004001f05e0a2a00090a2a00ff08000000000100010102030405060708090a0b0c0d0e0f',
  'hex',
)
const BURST = 32

// mulberry32, as test/support/seed.ts has it.
let state = Number(seed) | 0
function next() {
  state = (state + 0x6d2b79f5) | 0
  let x = Math.imul(state ^ (state >>> 15), state | 1)
  x ^= x + Math.imul(x ^ (x >>> 7), x | 61)
  return (x ^ (x >>> 14)) >>> 0
}

function noise(size) {
  const bytes = Buffer.alloc(size)
  for (let k = 0; k < size; k++) bytes[k] = next()
  return bytes
}

function one() {
  const size = next() % (next() % 8 === 0 ? 1473 : 120)
  const kind = next() % 3
  if (kind === 0) return noise(size)
  const header = Buffer.alloc(8)
  header[0] = 0x08
  header.writeUInt32BE((Number(vni) << 8) >>> 0, 4)
  if (kind === 1) return Buffer.concat([header, noise(size)])
  const changed = Buffer.concat([header, FRAME, noise(size)])
  for (let n = next() % 8; n > 0; n--) changed[next() % changed.length] = next()
  return next() % 2 === 0 ? changed : changed.subarray(0, next() % changed.length)
}

const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4')
let sent = 0
socket.connect(Number(port), address, burst)

function burst() {
  const n = Math.min(BURST, Number(count) - sent)
  if (n === 0) {
    process.stdout.write(`${sent}\n`)
    socket.close()
    return
  }
  sent += n
  let left = n
  const done = (error) => {
    if (error) throw error
    if (--left === 0) setImmediate(burst)
  }
  for (let k = 0; k < n; k++) socket.send(one(), done)
}
