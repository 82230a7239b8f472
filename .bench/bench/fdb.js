// FDB look-ups at three sizes, hits in an order that no cache foresees, and misses.
import { Fdb } from '../src/overlay/fdb.js';
import { line, time } from './timing.js';
const SIZES = [10, 10_000, 1_000_000];
const ORDER = 65536;
const SEED = 0x5eed1234;
export function fdb() {
    for (const size of SIZES) {
        const table = new Fdb(size, 0, SEED);
        for (let i = 0; i < size; i++)
            table.learn(hi(i), lo(i), i & 0xff, 0);
        const order = shuffled(size);
        line(`find, ${size} entries`, time((n) => {
            let sum = 0;
            for (let k = 0; k < n; k++) {
                const i = order[k & (ORDER - 1)];
                sum += table.find(hi(i), lo(i));
            }
            return sum;
        }));
        line(`find, ${size} entries, unknown station`, time((n) => {
            let sum = 0;
            for (let k = 0; k < n; k++) {
                const i = order[k & (ORDER - 1)];
                sum += table.find(hi(i) ^ 1, lo(i));
            }
            return sum;
        }));
        line(`learn, ${size} entries, known station`, time((n) => {
            let sum = 0;
            for (let k = 0; k < n; k++) {
                const i = order[k & (ORDER - 1)];
                sum += table.learn(hi(i), lo(i), i & 0xff, k);
            }
            return sum;
        }));
    }
}
// MACs as machines make them: one vendor prefix, numbers behind it.
function hi(i) {
    return 0x0242 ^ ((i >>> 20) << 4);
}
function lo(i) {
    return (0xac11 << 16) | i;
}
// Indices below `size` in a seeded order (xorshift32).
function shuffled(size) {
    let state = SEED;
    return Int32Array.from({ length: ORDER }, () => {
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
        return (state >>> 0) % size;
    });
}
//# sourceMappingURL=fdb.js.map