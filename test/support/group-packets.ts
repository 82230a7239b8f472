// IGMP and MLD messages of station 02:…:02 (10.42.0.2, fe80::2) about 239.1.1.1 and ff05::42, written by scapy 2.5.0 with its own
// checksums and lengths. Spaced by header.
import { hex } from './bytes.ts'

const STATION = '020000000002'
const MLD = (group: string, to: string, length: string, body: string) =>
  hex(
    `${group} ${STATION} 86dd 60000000 ${length} 00 01 fe800000000000000000000000000002 ${to} 3a00050200000100 ${body}`,
  )
const ALL = 'ff020000000000000000000000000001'
const FF05 = (last: string) => `ff0500000000000000000000000000${last}`
const ANY = '0'.repeat(32)

export const igmpFrames = {
  report1: hex(`01005e010101 ${STATION} 0800 4500001c000100000102bfb10a2a0002ef010101 12 14 fde8 ef010101`),
  report2: hex(`01005e010101 ${STATION} 0800 460000200001000001022aa90a2a0002ef01010194040000 16 14 f9e8 ef010101`),
  leave: hex(`01005e000002 ${STATION} 0800 460000200001000001023aa90a2a0002e000000294040000 17 14 f8e8 ef010101`),
  query2: hex(`01005e000001 ${STATION} 0800 460000200001000001023aaa0a2a0002e000000194040000 11 64 ee9b 00000000`),
  // TO_EXCLUDE 239.1.1.1, ALLOW two sources of 239.1.1.2, TO_INCLUDE nobody of 239.1.1.3
  report3: hex(`01005e000016 ${STATION} 0800 46c0004000010000010239b50a2a0002e000001694040000 22 00 ed89 0000 0003
    04 00 0000 ef010101  05 00 0002 ef010102 0a2a0009 0a2a0008  03 00 0000 ef010103`),
  // robustness 3, interval code 200: 3072 s, 10 s to answer
  query3: hex(
    `01005e000001 ${STATION} 0800 46c0002400010000010239e60a2a0002e000000194040000 11 64 ead3 00000000 03 c8 0000`,
  ),
} satisfies Record<string, Uint8Array>

export const mldFrames = {
  report1: MLD('333300000042', FF05('42'), '0020', `83 00 7f9a 0000 0000 ${FF05('42')}`),
  done: MLD('333300000002', 'ff020000000000000000000000000002', '0020', `84 00 7edd 0000 0000 ${FF05('42')}`),
  query1: MLD('333300000001', ALL, '0020', `82 00 5916 2710 0000 ${ANY}`),
  // TO_EXCLUDE ff05::42, TO_INCLUDE nobody of ff05::43, ALLOW one source of ff05::44
  report2: MLD(
    '333300000016',
    'ff020000000000000000000000000016',
    '005c',
    `8f 00 6baa 0000 0003 04 00 0000 ${FF05('42')} 03 00 0000 ${FF05('43')}
     05 00 0001 ${FF05('44')} fd000042000000000000000000000009`,
  ),
  query2: MLD('333300000001', ALL, '0024', `82 00 554a 2710 0000 ${ANY} 03 c8 0000`),
} satisfies Record<string, Uint8Array>
