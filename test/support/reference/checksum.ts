// RFC 1071 as its first page has it: 16-bit words added one by one, each carry added back at once.

/** The checksum of these bytes, as it would be stored. */
export function checksum(bytes: readonly number[]): number {
  let sum = 0
  for (let k = 0; k < bytes.length; k += 2) {
    sum += bytes[k]! * 256 + (bytes[k + 1] ?? 0)
    if (sum > 0xffff) sum -= 0xffff
  }
  return 0xffff - sum
}
