// What iptables-save prints: tables, their chains, and rules as the lines that would make them. Pure; cold.

export interface SavedTable {
  /** Chain → policy; `-` of chains that somebody made. */
  readonly policies: ReadonlyMap<string, string>
  /** Lines `-A CHAIN …`, in order. */
  readonly rules: readonly string[]
}

export const NO_TABLE: SavedTable = { policies: new Map(), rules: [] }

/** What a comment may say is not looked at. */
const QUOTED = /"(?:[^"\\]|\\.)*"/g
const LAST_WORD = /^-A \S+(?: -m comment --comment (?:""|\S+))? -j (?:ACCEPT|DROP|REJECT)\b/

export function parseSave(text: string): Map<string, SavedTable> {
  const tables = new Map<string, SavedTable>()
  let policies = new Map<string, string>()
  let rules: string[] = []
  for (const line of text.split('\n')) {
    if (line.startsWith('*')) {
      policies = new Map()
      rules = []
      tables.set(line.slice(1), { policies, rules })
    } else if (line.startsWith(':')) {
      const [chain, policy] = line.slice(1).split(' ') as [string, string]
      policies.set(chain, policy)
    } else if (line.startsWith('-A ')) {
      rules.push(line)
    }
  }
  return tables
}

/** The chain that a rule stands in. */
export function chainOf(rule: string): string {
  return rule.split(' ', 2)[1]!
}

/** The chain or verdict that a rule leads to; null: none, it only counts. */
export function targetOf(rule: string): string | null {
  return / -[jg] (\S+)/.exec(rule.replace(QUOTED, '""'))?.[1] ?? null
}

/** Whether nothing comes past a rule: it fits everything and is a last word. */
export function endsAll(rule: string): boolean {
  return LAST_WORD.test(rule.replace(QUOTED, '""'))
}
