// A VTEP of one network whose far station is known, for the walk from a device.
import { far, Vtep, type VtepOptions } from './vtep.ts'

export const FAR_HI = 0x0200
/** 02:00:00:00:00:02, to whom the frames go. */
export const FAR_LO = 2

/** One network with these peers, the far station behind the first. */
export function vtep(
  peers = [far('198.18.0.2')],
  settings = {},
  options: VtepOptions = {},
): { v: Vtep; ids: number[] } {
  const v = new Vtep(options)
  const ids = v.network(0, 0x00002a, peers, settings)
  v.tables.networks.at(0)!.fdb.learn(FAR_HI, FAR_LO, ids[0]!, 0)
  return { v, ids }
}
