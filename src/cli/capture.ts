// `vtepd capture`: inner traffic of the running agent. pcap to a file or a pipe; on a terminal one line a packet.
import { createWriteStream } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import type { Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { LINKTYPE_ETHERNET } from '../control/api/pcap.ts'
import * as print from '../wire/print.ts'
import { Client } from './client.ts'
import { DONE, FAILED, Failure, INTERRUPTED, USAGE } from './exit.ts'
import type { Flags } from './flags.ts'

const FILE_HEADER = 24
const RECORD_HEADER = 16

export async function capture(flags: Flags): Promise<number> {
  const limit = countOf(flags)
  const network = flags.text('network')
  const query = network === undefined ? '' : `?network=${encodeURIComponent(network)}`
  const file = flags.text('write')
  if (file === '-' && process.stdout.isTTY) {
    throw new Failure(USAGE, '--write -: stdout is a terminal, and pcap is not for reading; write to a file or a pipe')
  }
  const stream = await new Client(flags).stream(`/v1/capture${query}`)
  if (file === undefined && process.stdout.isTTY) return show(stream, limit)
  const out = file === undefined || file === '-' ? process.stdout : createWriteStream(file, { mode: 0o600 })
  return write(stream, out, limit)
}

function countOf(flags: Flags): number {
  const text = flags.text('count')
  if (text === undefined) return Number.POSITIVE_INFINITY
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new Failure(USAGE, `--count: want a number of packets, got "${text}"`)
  return Number(text)
}

// Whole records only, so that the file is well-formed whenever it ends. Ctrl-C ends it, too.
async function write(stream: IncomingMessage, out: Writable, limit: number): Promise<number> {
  let interrupted = false
  process.removeAllListeners('SIGINT')
  process.once('SIGINT', () => {
    interrupted = true
    stream.destroy()
  })
  const failed = new Promise<never>((_, reject) => {
    out.once('error', (error) => reject(new Failure(FAILED, `cannot write the capture: ${error.message}`)))
  })
  const copy = async (): Promise<void> => {
    for await (const piece of records(stream, limit)) {
      if (!out.write(piece.bytes)) await new Promise((resolve) => out.once('drain', resolve))
    }
  }
  await Promise.race([copy(), failed])
  stream.destroy()
  if (out !== process.stdout) {
    out.end()
    await finished(out)
  }
  return interrupted ? INTERRUPTED : DONE
}

async function show(stream: IncomingMessage, limit: number): Promise<number> {
  let layer2 = true
  for await (const { bytes, isHeader } of records(stream, limit)) {
    if (isHeader) {
      layer2 = bytes.readUInt32LE(20) === LINKTYPE_ETHERNET
      continue
    }
    const time = new Date(bytes.readUInt32LE(0) * 1000 + bytes.readUInt32LE(4) / 1000)
    const at = time.toISOString().slice(11, 23)
    process.stdout.write(`${at} ${print.line(bytes, RECORD_HEADER, bytes.length, layer2)}\n`)
  }
  stream.destroy()
  return DONE
}

// The file header and then each record by itself, however the stream is cut into chunks; ends when the stream does.
async function* records(stream: IncomingMessage, limit: number): AsyncGenerator<{ bytes: Buffer; isHeader: boolean }> {
  let rest: Buffer = Buffer.alloc(0)
  let isHeader = true
  let seen = 0
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      for (;;) {
        const need = isHeader ? FILE_HEADER : recordLength(rest)
        if (rest.length < need) break
        yield { bytes: rest.subarray(0, need), isHeader }
        rest = rest.subarray(need)
        if (!isHeader && ++seen >= limit) return
        isHeader = false
      }
    }
  } catch (error) {
    // The agent stopped, or Ctrl-C cut the stream: what came is whole.
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ECONNRESET' && code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error
  }
}

// With its header; more than there is while that is not whole.
function recordLength(bytes: Buffer): number {
  return bytes.length < RECORD_HEADER ? RECORD_HEADER : RECORD_HEADER + bytes.readUInt32LE(8)
}
