// ECN across a tunnel, RFC 6040 §4. Read the two tables there before you edit.
// Temperature: hot.
import * as drop from '../drop.js';
export const NOT_ECT = 0;
export const ECT1 = 1;
export const ECT0 = 2;
export const CE = 3;
/** RFC 6040 §4.1, normal mode: the outer ECN bits are the inner ones. `tos`: the inner TOS or traffic class. */
export function encapsulate(tos) {
    return tos & 3;
}
/** RFC 6040 §4.2: the ECN bits that the inner packet goes on with, or drop.ECN_CE_ON_NOT_ECT. */
export function decapsulate(inner, outer) {
    if (inner === NOT_ECT)
        return outer === CE ? drop.ECN_CE_ON_NOT_ECT : NOT_ECT;
    if (inner === CE || outer === CE)
        return CE;
    return inner === ECT1 || outer === ECT1 ? ECT1 : ECT0;
}
//# sourceMappingURL=ecn.js.map