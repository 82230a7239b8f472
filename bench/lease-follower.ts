// A member of a flannel network by itself, for leases.ts: follows it, and answers each line on stdin with what it has seen so far.
import { createInterface } from 'node:readline'
import { Etcd } from '../src/control/etcd/etcd.ts'
import { StoreFollower } from '../src/control/flannel/follower.ts'
import { NO_LOG } from '../src/log.ts'

export interface Seen {
  /** Members reached, and how often the agent was told of a difference. */
  readonly members: number
  readonly changes: number
  /** From the start until the first full list was there. */
  readonly readySeconds: number
}

const [endpoint, prefix] = process.argv.slice(2) as [string, string]
const follower = new StoreFollower({
  store: new Etcd({ endpoints: [endpoint], credentials: () => ({ ca: null, cert: null, key: null, login: null }) }),
  prefix,
  identity: {
    node: 'bench',
    publicIp: '198.19.255.1',
    publicIpv6: null,
    vtepMac: '02:ff:00:00:00:01',
    vtepMac6: '02:ff:00:00:06:01',
    publicKey: null,
    wireguardPort: 51820,
    secure: false,
  },
  leaseTtlSec: 3600,
  renewMarginSec: 60,
  instance: 'bench',
  previous: null,
  log: NO_LOG,
})
let changes = 0
let readySeconds = 0
let begin = 0
const say = (): void => {
  const seen: Seen = { members: follower.current?.members.size ?? 0, changes, readySeconds }
  process.stdout.write(`${JSON.stringify(seen)}\n`)
}
follower.on('change', () => {
  if (changes++ > 0) return
  readySeconds = (performance.now() - begin) / 1000
  say()
})
process.stdout.write('{}\n')
createInterface({ input: process.stdin })
  .once('line', () => {
    begin = performance.now()
    follower.start()
  })
  .on('line', () => {
    if (readySeconds > 0) say()
  })
  .on('close', () => process.exit(0))
