// `vtepd capture`: inner traffic of the running agent. pcap to a file or a pipe; on a terminal one line a packet.
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { LINKTYPE_ETHERNET } from '../control/pcap.js';
import * as print from '../wire/print.js';
import { Client } from './client.js';
import { DONE, FAILED, Failure, INTERRUPTED, USAGE } from './exit.js';
const FILE_HEADER = 24;
const RECORD_HEADER = 16;
export async function capture(flags) {
    const limit = countOf(flags);
    const network = flags.text('network');
    const query = network === undefined ? '' : `?network=${encodeURIComponent(network)}`;
    const file = flags.text('write');
    const stream = await new Client(flags).stream(`/v1/capture${query}`);
    if (file === undefined && process.stdout.isTTY)
        return show(stream, limit);
    const out = file === undefined || file === '-' ? process.stdout : createWriteStream(file, { mode: 0o600 });
    return write(stream, out, limit);
}
function countOf(flags) {
    const text = flags.text('count');
    if (text === undefined)
        return Number.POSITIVE_INFINITY;
    if (!/^[1-9]\d{0,14}$/.test(text))
        throw new Failure(USAGE, `--count: want a number of packets, got "${text}"`);
    return Number(text);
}
// Whole records only, so that the file is well-formed whenever it ends. Ctrl-C ends it, too.
async function write(stream, out, limit) {
    let interrupted = false;
    process.removeAllListeners('SIGINT');
    process.once('SIGINT', () => {
        interrupted = true;
        stream.destroy();
    });
    const failed = new Promise((_, reject) => {
        out.once('error', (error) => reject(new Failure(FAILED, `cannot write the capture: ${error.message}`)));
    });
    const copy = async () => {
        for await (const piece of records(stream, limit)) {
            if (!out.write(piece.bytes))
                await new Promise((resolve) => out.once('drain', resolve));
        }
    };
    await Promise.race([copy(), failed]);
    stream.destroy();
    if (out !== process.stdout) {
        out.end();
        await finished(out);
    }
    return interrupted ? INTERRUPTED : DONE;
}
async function show(stream, limit) {
    let layer2 = true;
    for await (const { bytes, isHeader } of records(stream, limit)) {
        if (isHeader) {
            layer2 = bytes.readUInt32LE(20) === LINKTYPE_ETHERNET;
            continue;
        }
        const time = new Date(bytes.readUInt32LE(0) * 1000 + bytes.readUInt32LE(4) / 1000);
        const at = time.toISOString().slice(11, 23);
        process.stdout.write(`${at} ${print.line(bytes, RECORD_HEADER, bytes.length, layer2)}\n`);
    }
    stream.destroy();
    return DONE;
}
// The file header and then each record by itself, however the stream is cut into chunks; ends when the stream does.
async function* records(stream, limit) {
    let rest = Buffer.alloc(0);
    let isHeader = true;
    let seen = 0;
    try {
        for await (const chunk of stream) {
            rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
            for (;;) {
                const need = isHeader
                    ? FILE_HEADER
                    : rest.length < RECORD_HEADER
                        ? RECORD_HEADER
                        : RECORD_HEADER + rest.readUInt32LE(8);
                if (rest.length < need || (!isHeader && need === RECORD_HEADER))
                    break;
                yield { bytes: rest.subarray(0, need), isHeader };
                rest = rest.subarray(need);
                if (!isHeader && ++seen >= limit)
                    return;
                isHeader = false;
            }
        }
    }
    catch (error) {
        // The agent stopped, or Ctrl-C cut the stream: what came is whole.
        const { code } = error;
        if (code !== 'ECONNRESET' && code !== 'ERR_STREAM_PREMATURE_CLOSE')
            throw error;
    }
}
//# sourceMappingURL=capture.js.map