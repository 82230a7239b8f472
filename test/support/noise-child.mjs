// Sends datagrams to a WireGuard port that no session of it will take, run on a host of a lab; says how many of each kind went.
//   noise-child.mjs ADDRESS PORT SEED COUNT [HEX…]     HEX: messages seen on the wire, of which it sends the beginnings
// Kinds in turn: any bytes; each of the four types in its right length around any bytes; the same cut; beginnings of real ones.
import { createCipheriv, createHash } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { isIPv6 } from 'node:net'

const LENGTHS = { 1: 148, 2: 92, 3: 64, 4: 100 }
const BURST = 64

const [address, port, seed, count, ...seen] = process.argv.slice(2)
const real = seen.map((hex) => Buffer.from(hex, 'hex'))
const cipher = createCipheriv(
  'aes-128-ctr',
  createHash('sha256').update(seed).digest().subarray(0, 16),
  Buffer.alloc(16),
)
const draw = (size) => cipher.update(Buffer.alloc(size))
const below = (n) => draw(4).readUInt32BE() % n

function typed(type) {
  const bytes = draw(LENGTHS[type])
  bytes.writeUInt32LE(type, 0)
  return bytes
}

const KINDS = {
  any: () => draw(1 + below(1400)),
  empty: () => Buffer.alloc(0),
  initiation: () => typed(1),
  response: () => typed(2),
  cookie: () => typed(3),
  transport: () => typed(4),
  reserved: () => Buffer.concat([Buffer.of(4, below(256), 1 + below(255), 0), draw(60)]),
  cut: () => {
    const bytes = typed(1 + below(4))
    return bytes.subarray(0, below(32))
  },
  ...(real.length > 0 && {
    beginning: () => {
      const bytes = real[below(real.length)]
      return bytes.subarray(0, below(bytes.length))
    },
  }),
}

const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4')
const names = Object.keys(KINDS)
const sent = Object.fromEntries(names.map((name) => [name, 0]))
let n = 0

// One after the other: what the kernel refuses would be missing from the count.
function next() {
  if (n === Number(count)) {
    socket.close()
    process.stdout.write(`${JSON.stringify(sent)}\n`)
    return
  }
  const name = names[n++ % names.length]
  const then = n % BURST === 0 ? () => setImmediate(next) : next
  socket.send(KINDS[name](), Number(port), address, (error) => {
    if (error) throw error
    sent[name]++
    then()
  })
}
socket.bind(0, next)
