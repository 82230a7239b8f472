// Carries 10^5 packets through each walk and says, as JSON, what that cost the garbage collector; run by alloc.test.ts with
// --expose-gc. It is bundled as dist/ is (bundled.ts): what is measured is what runs.
import { PerformanceObserver } from 'node:perf_hooks'
import { setImmediate as turn } from 'node:timers/promises'
import { ADDR_LEN, Batch, HEADROOM } from '../../src/batch.ts'
import { Counters } from '../../src/counters.ts'
import { Answers } from '../../src/datapath/answers.ts'
import { Capture } from '../../src/datapath/capture.ts'
import { Inbound } from '../../src/datapath/inbound.ts'
import { SEALED } from '../../src/datapath/mailbox.ts'
import { Outbound } from '../../src/datapath/outbound.ts'
import { Settlement } from '../../src/datapath/settlement.ts'
import { Tables } from '../../src/datapath/tables.ts'
import { Unseal } from '../../src/datapath/unseal.ts'
import { Fdb } from '../../src/overlay/fdb.ts'
import { Neighbours } from '../../src/overlay/neighbours.ts'
import { Network, Networks } from '../../src/overlay/networks.ts'
import { Routes } from '../../src/overlay/routes.ts'
import { Snoop } from '../../src/overlay/snoop.ts'
import { Storm } from '../../src/overlay/storm.ts'
import { keyWords, Vteps } from '../../src/overlay/vteps.ts'
import { KEEPALIVE_LEN, writeTransport } from '../../src/wire/wireguard.ts'

const PACKETS = 100_000
const WARM_UP = 400_000
const ROUNDS = 5
const SLOTS = 256
const ROOM = 512
const SEED = 0x5eed1234
const QUIET = { suppressArp: true, stormLimit: 0, group: 0 }
const SOCKET = 1
/** The index of our session. */
const LOCAL = 7
const FAR = [0, 0, 0xffff, 0xc6120002 | 0]

const swallow = {
  sent: 0,
  receive: () => 0,
  resume: () => 0,
  send(b) {
    this.sent += b.count
    return 0
  },
}

/** Tables with one peer; 16 stations behind it. */
function tables(layer2) {
  const networks = new Networks()
  const vteps = new Vteps(64, SEED)
  const routes = new Routes(SEED)
  const network = new Network(0, 42, layer2, 4789, new Fdb(1024, 3000, SEED), routes)
  network.macHi = 0x02ff
  network.macLo = 1
  networks.add(network)
  const vtep = vteps.add(0, ...FAR, false)
  vteps.mtu[vtep] = 1500
  network.flood = Int32Array.of(vtep)
  routes.put({ words: [0x0a000000, 0, 0, 0], v6: false, length: 8 }, vtep)
  for (let n = 0; n < 16; n++) network.fdb.learn(0x0200, n, vtep, 0)
  if (layer2) quietTables(network, vtep)
  return { networks, vteps, counters: new Counters(), capture: new Capture(() => {}) }
}

/** What answers ARP, steers streams and bounds storms: 10.42.0.2 and fd00:42::2 are station 3, and somebody listens to 239.1.1.1. */
function quietTables(network, vtep) {
  network.neighbours = new Neighbours(1024, 3000, SEED)
  network.neighbours.put([0, 0, 0xffff, 0x0a2a0002], 0x0200, 3, vtep, 0x20, 3)
  network.neighbours.put([0xfd000042 | 0, 0, 0, 2], 0x0200, 3, vtep, 0x20, 3)
  network.snoop = new Snoop(network.flood, SEED)
  network.snoop.joined(0, 0, 0xffff, 0xef010101 | 0, vtep, 1, 0)
  network.storm = new Storm(1e9, 0)
}

/** Slots of these packets in turn. */
function batch(packets, l3) {
  const b = new Batch(SLOTS, new Uint8Array(SLOTS * ROOM))
  for (let i = 0; i < SLOTS; i++) {
    const bytes = packets[i % packets.length]
    b.off[i] = i * ROOM + HEADROOM
    b.len[i] = bytes.length
    b.bytes.set(bytes, b.off[i])
    b.l3[i] = l3
    new Uint16Array(b.addr.buffer, b.addr.byteOffset + i * ADDR_LEN, 1)[0] = 2
    new DataView(b.addr.buffer, b.addr.byteOffset + i * ADDR_LEN).setInt32(4, FAR[3])
  }
  b.count = SLOTS
  return b
}

// Nothing is sealed here.
const unsealed = {
  sealedSent() {},
  sealedFailed() {},
  reachable: () => false,
  sender: () => undefined,
  stage() {},
  leave() {},
}

function outward(packets, layer2) {
  const b = batch(packets, layer2 ? 14 : 0)
  const answers = new Answers(swallow, SEED)
  const parts = tables(layer2)
  const out = new Outbound({
    ...parts,
    answers,
    datagrams: new Batch(64, b.bytes),
    seed: SEED,
    settlement: new Settlement({ ...parts, answers, ...unsealed, learnMtu: () => {} }),
    sealer: unsealed,
  })
  return () => {
    out.begin(b, 0)
    while (out.step()) out.send(swallow)
  }
}

function inward(packets, layer2) {
  const b = batch(packets, 0)
  const ports = new Int32Array(16).fill(4789)
  const walk = new Inbound({
    ...tables(layer2),
    frames: new Batch(64, b.bytes),
    ports,
    bare: new Int32Array(0),
    probe: () => 0,
    addStranger: () => -1,
    ownMac: () => {},
  })
  let tick = 0
  return () => {
    walk.begin(b, tick++, false)
    while (walk.step()) walk.send(swallow)
  }
}

/** The data thread's tables with one network, one peer behind a tunnel, and a session with it. */
function sealedTables(layer2) {
  const native = {
    setEndpoint() {},
    clearEndpoint() {},
    setKey() {},
    clearKey() {},
    setSocket() {},
    pathMtu: () => 1500,
  }
  const counters = new Counters()
  const answers = new Answers(swallow, SEED)
  const t = new Tables(native, counters, answers, SEED, () => {})
  const mac = hex('02ff00000001')
  const settings = { mac, learning: true, ageing: 300_000, macLimit: 1024, floodOn: true, accept: 0, ranges: [] }
  const rest = { keepVlan: false, copyEcn: true, dscp: 0, hashPort: true, sourceCheck: true, ...QUIET }
  t.now = t.tunnels.now = 1000.5
  t.handle({ kind: 'set-socket', id: SOCKET, fd: 9, port: SEALED })
  t.handle({ kind: 'set-tunnel', tunnel: 0, keepalive: 25_000, endpoint: hex(`02001234c6120002${'00'.repeat(24)}`) })
  t.handle({ kind: 'add-network', id: 0, vni: 42, layer2, port: 0, settings: { ...settings, ...rest } })
  const prefixes = [{ words: [0x0a000000, 0, 0, 0], v6: false, length: 8 }]
  t.handle({ kind: 'set-peers', id: 0, peers: [{ words: keyWords(0), tunnel: 0, mac: null, prefixes }], statics: [] })
  const keys = { send: new Uint8Array(32), receive: new Uint8Array(32) }
  const session = { local: LOCAL, remote: 8, initiator: true, yields: false, ...keys }
  const from = hex(`02001234c6120002${'00'.repeat(24)}`)
  t.handle({ kind: 'session', tunnel: 0, session, from, local: new Uint8Array(16), message: null })
  for (let n = 0; n < 16; n++) t.networks.at(0).fdb.learn(0x0200, n, t.vteps.find(0, ...keyWords(0)), 0)
  return { t, counters, answers }
}

function sealedOutward(packets, layer2) {
  const b = batch(packets, layer2 ? 14 : 0)
  const { t, counters, answers } = sealedTables(layer2)
  const out = new Outbound({
    networks: t.networks,
    vteps: t.vteps,
    counters,
    answers,
    capture: new Capture(() => {}),
    datagrams: new Batch(64, b.bytes),
    seed: SEED,
    settlement: t.settlement,
    sealer: t.tunnels,
  })
  return () => {
    out.begin(b, 0)
    while (out.step()) out.send(swallow)
  }
}

/** Messages around these plaintexts, which lie there opened already; every fourth slot is a train of three. */
function sealedInward(packets, layer2) {
  const plain = batch(packets, 0)
  const b = new Batch(SLOTS, plain.bytes)
  b.addr.set(plain.addr)
  const { t, counters } = sealedTables(layer2)
  const [longest] = packets.map((p) => p.length).sort((x, y) => y - x)
  const step = longest + KEEPALIVE_LEN
  for (let i = 0; i < SLOTS; i++) {
    const train = i % 4 === 0 ? 3 : 1
    b.off[i] = plain.off[i] - 16
    b.len[i] = train === 1 ? packets[i % packets.length].length + KEEPALIVE_LEN : train * step
    b.segment[i] = train === 1 ? 0 : step
    b.link[i] = SOCKET
    for (let k = 1; k < train; k++) b.bytes.copyWithin(plain.off[i] + k * step, plain.off[i], plain.off[i] + step)
  }
  b.count = SLOTS
  const unseal = new Unseal({
    peers: t.tunnels.peers,
    counters,
    ports: t.ports,
    opened: new Batch(128, b.bytes),
    open: () => 0,
    handshake: () => {},
    heard: (session, data, messages, m) => t.tunnels.heard(session, data, messages, m),
  })
  const inbound = new Inbound({
    networks: t.networks,
    vteps: t.vteps,
    counters,
    capture: new Capture(() => {}),
    ports: t.ports,
    bare: t.farEnds.bare,
    frames: new Batch(64, b.bytes),
    probe: (tunnel, opened, off, end) => t.tunnels.agentMessage(tunnel, opened, off, end),
    addStranger: () => -1,
    ownMac: () => {},
  })
  let counter = 0
  let tick = 0
  return () => {
    for (let i = 0; i < SLOTS; i++) {
      for (let off = b.off[i]; off < b.off[i] + b.len[i]; off += step) writeTransport(b.bytes, off, LOCAL, counter++)
    }
    tick++
    unseal.begin(b, t.tunnels.now)
    while (unseal.step()) {
      inbound.begin(unseal.p.opened, tick, true)
      while (inbound.step()) inbound.send(swallow)
    }
  }
}

const hex = (text) => Buffer.from(text.replaceAll(/\s/g, ''), 'hex')
const IP = '4500001c00010000401166bc0a2a00010a2a0002 1388003500080000'
// To a known station, to a group, tagged (refused), cut (refused).
const FRAMES = ['020000000003 020000000001', 'ffffffffffff 020000000001', '020000000004 020000000002']
  .map((macs) => hex(`${macs} 0800 ${IP}`))
  .concat(hex(`020000000003 020000000001 8100 0007 0800 ${IP}`), hex('020000000003 0200'))
// Questions that are answered and that are not, who is asked alone, a stream; reports and queries.
const ARP = (to, target) =>
  hex(`${to} 020000000001 0806 0001 0800 06 04 0001 020000000001 0a2a0001 000000000000 0a2a00${target}`)
const SOLICITATION = hex(`3333ff000002 020000000001 86dd 60000000 0020 3a ff
  fe800000000000000000000000000001 ff0200000000000000000001ff000002
  87 00 7bd5 00000000 fd000042000000000000000000000002 01 01 020000000001`)
const ADVERTISEMENT = hex(`020000000001 020000000002 86dd 60000000 0020 3a ff
  fd000042000000000000000000000002 fe800000000000000000000000000001
  88 00 1a96 60000000 fd000042000000000000000000000002 02 01 020000000002`)
const STREAM = hex(
  '01005e010101 020000000001 0800 4500 0020 0001 0000 08 11 0000 0a2a0001 ef010101 1388 0035 000c 0000 61626364',
)
const REPORT = hex(
  '01005e010101 020000000002 0800 460000200001000001022aa90a2a0002ef01010194040000 16 14 f9e8 ef010101',
)
const QUERY = hex('01005e000001 020000000002 0800 460000200001000001023aaa0a2a0002e000000194040000 11 64 ee9b 00000000')
const TALK = [ARP('ffffffffffff', '02'), ARP('ffffffffffff', '09'), ARP('020000000003', '02'), SOLICITATION, STREAM]
const HEARD = [ARP('ffffffffffff', '01'), ADVERTISEMENT, STREAM, REPORT, QUERY]
const sealed = (frame) => Buffer.concat([hex('0800000000002a00'), frame])
const ours = hex(`02ff00000001 020000000001 0800 ${IP}`)

const walks = {
  'out, layer 2': outward(FRAMES, true),
  'out, layer 2, ARP, ND and groups': outward(TALK, true),
  'in, layer 2, ARP, ND and groups': inward(HEARD.map(sealed), true),
  'out, layer 3': outward([hex(IP), hex('60')], false),
  'in, layer 2': inward([...FRAMES.map(sealed), hex('00')], true),
  'in, layer 3': inward([sealed(ours), sealed(FRAMES[0])], false),
  'out, sealed layer 2': sealedOutward(FRAMES, true),
  'out, sealed layer 3': sealedOutward([hex(IP), hex('60')], false),
  // Cut, unknown, keepalives.
  'in, sealed layer 2': sealedInward([...FRAMES.map(sealed), hex('00'), hex('76'), hex('')], true),
  'in, sealed layer 3': sealedInward([hex(IP), hex(`${IP} 0000`), hex('60'), hex('')], false),
}
// Shows that the measure would see an object a packet.
if (process.argv[2] === 'wasteful') {
  const kept = []
  walks.wasteful = () => {
    for (let i = 0; i < SLOTS; i++) kept[i] = { i }
  }
}

const report = {}
for (const [name, walk] of Object.entries(walks)) {
  for (let n = 0; n < WARM_UP; n += SLOTS) walk()
  // V8 may still compile in the first rounds; an object a packet would be in all of them.
  const rounds = []
  for (let k = 0; k < ROUNDS; k++) rounds.push(await measure(walk))
  report[name] = rounds.sort((a, b) => a.bytesPerPacket - b.bytesPerPacket)[0]
}
process.stdout.write(JSON.stringify(report))

async function measure(walk) {
  globalThis.gc()
  await turn()
  let collections = 0
  const observer = new PerformanceObserver((list) => {
    collections += list.getEntries().length
  })
  observer.observe({ entryTypes: ['gc'] })
  swallow.sent = 0
  const before = process.memoryUsage().heapUsed
  for (let n = 0; n < PACKETS; n += SLOTS) walk()
  const grown = process.memoryUsage().heapUsed - before
  // Entries come with the loop's next turns.
  for (let k = 0; k < 3; k++) await turn()
  observer.disconnect()
  // A collection in between makes the heap smaller: the growth is no measure then.
  return { sent: swallow.sent, collections, bytesPerPacket: collections > 0 ? Infinity : grown / PACKETS }
}
