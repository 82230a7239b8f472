// Certificates for etcd servers and their clients, by openssl.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { finish, start } from '../../src/lab/command.ts'
import type { EtcdTls } from '../../src/lab/etcd.ts'

/** An authority, a server's certificate for 127.0.0.1 and a client's, as files in `dir`. */
export async function certificates(dir: string): Promise<EtcdTls> {
  const file = (name: string): string => join(dir, name)
  const openssl = (...args: string[]) => finish(start(['openssl', ...args]), ['openssl', ...args])
  const fresh = (name: string) => [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-keyout',
    file(`${name}.key`),
  ]
  await openssl('req', '-x509', ...fresh('ca'), '-out', file('ca.pem'), '-subj', '/CN=authority', '-days', '2')
  writeFileSync(file('names'), 'subjectAltName=IP:127.0.0.1\n')
  for (const name of ['server', 'client']) {
    await openssl('req', ...fresh(name), '-out', file(`${name}.csr`), '-subj', `/CN=${name}`)
    const authority = ['-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-CAcreateserial']
    const out = ['-out', file(`${name}.pem`), '-days', '2', '-extfile', file('names')]
    await openssl('x509', '-req', '-in', file(`${name}.csr`), ...authority, ...out)
  }
  return {
    ca: file('ca.pem'),
    cert: file('server.pem'),
    key: file('server.key'),
    client: { cert: file('client.pem'), key: file('client.key') },
  }
}
