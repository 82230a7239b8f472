// `vtepd reload`: the agent reads its file again; a faulty one is refused whole and the old configuration stays.
import { Client } from './client.ts'
import { DONE } from './exit.ts'
import type { Flags } from './flags.ts'
import { printJson } from './output.ts'

export async function reload(flags: Flags): Promise<number> {
  await new Client(flags).ask('POST', '/v1/reload')
  if (flags.on('json')) printJson({ schema: 1 })
  return DONE
}
