// What `control.etcd` means together, and the files that it names. Form is schema.ts's business. docs/flannel.md.
import { resolve } from 'node:path'
import { readPassword, readPem } from '../etcd/files.ts'
import type { KeyFault } from '../key-file.ts'
import { Secret } from '../secret.ts'
import type { Draft, EtcdDraft } from './draft.ts'
import type { Faults, Path } from './fault.ts'
import type { EtcdConfig } from './model.ts'

const PATH: Path = ['control', 'etcd']
const USUAL_MARGIN_SEC = 3600

/** null: there is none, or a fault in it. `directory`: where relative names of files begin. */
export function checkEtcd({ etcd }: Draft, directory: string, faults: Faults): EtcdConfig | null {
  if (!etcd) return null
  const before = faults.count
  const place = (file: string | null | undefined): string | null => (file ? resolve(directory, file) : null)
  const files = { caFile: place(etcd.caFile), certFile: place(etcd.certFile), keyFile: place(etcd.keyFile) }
  checkPairs(etcd, faults)
  checkTls(etcd, faults)
  for (const [key, file] of Object.entries(files)) if (file) note(key, readPem(file), faults)
  const passwordFile = place(etcd.passwordFile)
  if (passwordFile) note('passwordFile', readPassword(passwordFile), faults)
  const renewMarginSec = marginOf(etcd, faults)
  const { endpoints, prefix, leaseTtlSec, username } = etcd
  const isKnown = endpoints && prefix && leaseTtlSec !== undefined && username !== undefined && renewMarginSec !== null
  if (!isKnown || faults.count > before) return null
  return {
    endpoints: [...new Set(endpoints.map(canonicalUrl))],
    prefix,
    leaseTtlSec,
    renewMarginSec,
    ...files,
    username,
    passwordFile,
  }
}

function note(key: string, found: Buffer | Secret | KeyFault, faults: Faults): void {
  if (found instanceof Secret) found.zero()
  else if ('what' in found) faults.add([...PATH, key], found.what, found.mend)
}

// What is of use only together.
function checkPairs(etcd: EtcdDraft, faults: Faults): void {
  const pairs = [
    ['certFile', 'keyFile'],
    ['username', 'passwordFile'],
  ] as const
  for (const [a, b] of pairs) {
    for (const [has, lacks] of [[a, b] as const, [b, a] as const]) {
      if (etcd[has] && etcd[lacks] === null) {
        faults.add([...PATH, lacks], `missing, and there is a ${has}`, `give both, or remove ${has}`)
      }
    }
  }
}

function checkTls({ endpoints, caFile, certFile, keyFile }: EtcdDraft, faults: Faults): void {
  const plain = endpoints?.find((url) => url.startsWith('http:'))
  const file = Object.entries({ caFile, certFile, keyFile }).find(([, name]) => name)
  if (!plain || !file) return
  faults.add([...PATH, file[0]], `for https endpoints only, and ${plain} is none`, 'write https://, or remove the file')
}

// null: not known. Without a margin in the file, one that fits a short lease too.
function marginOf({ leaseTtlSec, renewMarginSec }: EtcdDraft, faults: Faults): number | null {
  if (leaseTtlSec === undefined || renewMarginSec === undefined) return null
  if (renewMarginSec === null) return Math.min(USUAL_MARGIN_SEC, Math.floor(leaseTtlSec / 2))
  if (renewMarginSec < leaseTtlSec) return renewMarginSec
  faults.add([...PATH, 'renewMargin'], `not shorter than the lease itself, ${leaseTtlSec}s`, 'write a shorter one')
  return null
}

/** http(s)://host:port, as many texts as name the same. */
export function canonicalUrl(text: string): string {
  const { protocol, hostname, port } = new URL(text)
  return `${protocol}//${hostname}:${port || '2379'}`
}
