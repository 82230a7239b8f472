// Longest prefix match for one layer 3 network: prefix → VTEP id, IPv4 and IPv6. A hash table holds all prefixes; a search
// tries the lengths that are in use, longest first, so it costs one probe per distinct length (a handful in practice).
// Slot: four address words | family and length | vtep. Temperature: hot (find4, find6); changes rebuild the table (cold).
import { NONE } from '../drop.js';
const STRIDE = 6;
const META = 4;
const VTEP = 5;
const V6 = 256;
const USED = 512;
export class Routes {
    seed;
    entries = [];
    table = new Int32Array(0);
    mask = 0;
    lengths4 = new Int32Array(0);
    lengths6 = new Int32Array(0);
    /** `seed`: 32 random bits. */
    constructor(seed) {
        this.seed = seed;
    }
    /** Replaces all prefixes. A prefix given twice belongs to the last. */
    set(entries) {
        this.entries = [...entries];
        let capacity = 16;
        while (capacity < entries.length * 2)
            capacity *= 2;
        this.table = new Int32Array(capacity * STRIDE);
        this.mask = capacity - 1;
        for (const { prefix, vtep } of entries) {
            const [a, b, c, d] = prefix.words;
            const meta = prefix.length | (prefix.v6 ? V6 : 0) | USED;
            const at = this.slot(a | 0, b | 0, c | 0, d | 0, meta);
            this.table.set([a, b, c, d, meta, vtep], at);
        }
        this.lengths4 = this.lengths(false);
        this.lengths6 = this.lengths(true);
    }
    /** VTEP for an IPv4 address (a 32-bit word), or NONE. */
    find4(address) {
        const lengths = this.lengths4;
        for (let k = 0; k < lengths.length; k++) {
            const length = lengths[k];
            const at = this.slot(address & word(length, 0), 0, 0, 0, length | USED);
            if (this.table[at + META] !== 0)
                return this.table[at + VTEP];
        }
        return NONE;
    }
    /** VTEP for an IPv6 address in four big-endian words, or NONE. */
    find6(a, b, c, d) {
        const lengths = this.lengths6;
        for (let k = 0; k < lengths.length; k++) {
            const n = lengths[k];
            const at = this.slot(a & word(n, 0), b & word(n, 32), c & word(n, 64), d & word(n, 96), n | V6 | USED);
            if (this.table[at + META] !== 0)
                return this.table[at + VTEP];
        }
        return NONE;
    }
    // Where the prefix is, or the free slot where it belongs.
    slot(a, b, c, d, meta) {
        const table = this.table;
        let h = Math.imul(a ^ this.seed, 0x9e3779b1);
        h = Math.imul(h ^ (h >>> 15) ^ b, 0x85ebca6b);
        h = Math.imul(h ^ (h >>> 13) ^ c, 0xc2b2ae35);
        h = Math.imul(h ^ (h >>> 16) ^ d ^ meta, 0x27d4eb2f);
        let i = (h ^ (h >>> 15)) & this.mask;
        for (;;) {
            const at = i * STRIDE;
            if (table[at + META] === 0)
                return at;
            if (table[at + META] === meta &&
                table[at] === a &&
                table[at + 1] === b &&
                table[at + 2] === c &&
                table[at + 3] === d) {
                return at;
            }
            i = (i + 1) & this.mask;
        }
    }
    lengths(v6) {
        const seen = new Set(this.entries.filter((e) => e.prefix.v6 === v6).map((e) => e.prefix.length));
        return Int32Array.from([...seen].sort((x, y) => y - x));
    }
}
/** Mask of the 32-bit word that begins at bit `from` of a prefix of `length` bits. */
function word(length, from) {
    const n = length - from;
    return n >= 32 ? -1 : n <= 0 ? 0 : -1 << (32 - n);
}
//# sourceMappingURL=routes.js.map