// Sends bursts of datagrams until it is killed, run on a host of a lab: more at once than the far end works off in that moment.
//   flood-child.mjs ADDRESS PORT SIZE HEX…     SIZE of a burst; HEX: the datagrams, in turn
import { createSocket } from 'node:dgram'

/** Milliseconds between two bursts: WireGuard counts as under load for a second after one. */
const PACE = 250

const [address, port, size, ...hex] = process.argv.slice(2)
const messages = hex.map((text) => Buffer.from(text, 'hex'))
const socket = createSocket('udp4')
let n = 0

function burst() {
  for (let k = 0; k < Number(size); k++) socket.send(messages[n++ % messages.length], Number(port), address)
}

socket.bind(0, () => {
  socket.setSendBufferSize(4 << 20)
  burst()
  setInterval(burst, PACE)
  process.stdout.write('flooding\n')
})
