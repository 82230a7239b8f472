// A configuration's text: YAML 1.2 to plain values, and from a path back to its line. JSON is YAML. Faults of the text
// itself (syntax, duplicate keys) are noted here; what the values mean is not looked at.
import {
  Composer,
  CST,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  Parser,
  visit,
  type YAMLMap,
  YAMLParseError,
} from 'yaml'
import { Faults, type Path, type Place, pathText } from './fault.ts'

export interface Source {
  /** The text as plain values; undefined when its syntax is faulty. */
  readonly value: unknown
  /** Faults of the text; those of the values join them. */
  readonly faults: Faults
}

/** What the model needs is six; a document nested as deep as the stack would end the process. */
const MAX_DEPTH = 64

/** Reads the text; never throws. */
export function readSource(text: string): Source {
  const lines = new LineCounter()
  const tokens = [...new Parser(lines.addNewLine).parse(text)]
  const deep = tooDeep(tokens)
  if (deep !== null) return unreadable('nested too deeply', lines.linePos(deep).line)
  const document = compose(tokens, text.length)
  const place = new Lines(document, lines)
  const faults = new Faults(place)
  for (const { message, pos } of [...document.errors, ...document.warnings]) {
    const { line, col } = lines.linePos(pos[0])
    place.fixed = line
    faults.add([], `YAML syntax at line ${line}, column ${col}: ${sentence(message)}`, 'mend the text there')
  }
  place.fixed = 0
  if (document.errors.length > 0) return { value: undefined, faults }
  findDuplicates(document, place, faults)
  if (findStrayAliases(document, place, faults)) return { value: undefined, faults }
  try {
    return { value: document.toJS(), faults }
  } catch (error) {
    // What toJS throws at more than a hundred copies of copies.
    if (!(error instanceof ReferenceError)) throw error
    return unreadable('aliases that multiply without end', 0)
  }
}

// The parser's own stack is in memory, everything after it recurses. Answers an offset beyond the limit, or null.
function tooDeep(tokens: readonly CST.Token[]): number | null {
  const left = tokens.map((token) => ({ token, depth: 0 }))
  for (let next = left.pop(); next; next = left.pop()) {
    const { token, depth } = next
    if (depth > MAX_DEPTH) return token.offset
    if (token.type === 'document' && token.value) left.push({ token: token.value, depth })
    if (!CST.isCollection(token)) continue
    for (const { key, value } of token.items) {
      if (key) left.push({ token: key, depth: depth + 1 })
      if (value) left.push({ token: value, depth: depth + 1 })
    }
  }
  return null
}

function compose(tokens: readonly CST.Token[], length: number): Document.Parsed {
  // Duplicates: ours below says where both are, and takes linear time.
  const composer = new Composer({ prettyErrors: false, uniqueKeys: false, schema: 'core', logLevel: 'error' })
  // With forceDoc there is one at the end even of an empty text.
  const [first, second] = [...composer.compose(tokens, true, length)] as [Document.Parsed, Document.Parsed?]
  if (second) {
    const message = 'a second document begins; a configuration is one'
    first.errors.push(new YAMLParseError([second.range[0], second.range[1]], 'MULTIPLE_DOCS', message))
  }
  return first
}

function unreadable(what: string, line: number): Source {
  const faults = new Faults({ label: pathText, line: () => line })
  faults.add([], what, 'write it out flat')
  return { value: undefined, faults }
}

function sentence(message: string): string {
  return message.replace(/\s+/g, ' ').trim()
}

function findDuplicates(document: Document, place: Lines, faults: Faults): void {
  visit(document, {
    Map(_, map, ancestors) {
      const seen = new Set<string>()
      for (const { key: node } of map.items) {
        const key = keyText(node)
        if (key === null) continue
        const note = (what: string, mend: string): void => {
          place.fixed = place.lineOf(node)
          faults.add([...pathOf([...ancestors, map]), key], what, mend)
          place.fixed = 0
        }
        if (seen.has(key)) note('given twice', `keep one of them; the first is at line ${place.firstLine(map, key)}`)
        // Assigning it would change the map's nature instead of its content.
        if (key === '__proto__') note('unknown key', 'remove it')
        seen.add(key)
      }
    },
  })
}

// Whether there is an alias whose anchor does not stand before it.
function findStrayAliases(document: Document, place: Lines, faults: Faults): boolean {
  const anchors = new Set<string | undefined>()
  const before = faults.count
  visit(document, {
    Collection: (_, node) => void anchors.add(node.anchor),
    Scalar: (_, node) => void anchors.add(node.anchor),
    Alias(_, node, ancestors) {
      if (anchors.has(node.source)) return
      place.fixed = place.lineOf(node)
      faults.add(pathOf([...ancestors, node]), `nothing before it is called &${node.source}`, 'write the value itself')
      place.fixed = 0
    },
  })
  return faults.count > before
}

// null for a key that is no plain word but a map, a list or an alias; no key of ours is.
function keyText(key: unknown): string | null {
  return isScalar(key) ? String(key.value ?? '') : null
}

// The path of the last of `nodes`, which lead down from the document; pairs stand between a map and its values.
function pathOf(nodes: readonly unknown[]): Path {
  const path: (string | number)[] = []
  for (let i = 0; i + 1 < nodes.length; i++) {
    const node = nodes[i]
    const next = nodes[i + 1]
    if (isSeq(node)) path.push(node.items.indexOf(next))
    else if (isMap(node)) path.push(keyText((next as { key: unknown }).key) ?? '?')
  }
  return path
}

class Lines implements Place {
  /** While not 0, the answer for every path. */
  fixed = 0
  private readonly document: Document
  private readonly counter: LineCounter
  private readonly indexes = new WeakMap<YAMLMap, Map<string | null, { key: unknown; value: unknown }>>()

  constructor(document: Document, counter: LineCounter) {
    this.document = document
    this.counter = counter
  }

  label(path: Path): string {
    return pathText(path)
  }

  /** The line of the path's key or list item; where that is missing, of what should hold it. */
  line(path: Path): number {
    if (this.fixed > 0) return this.fixed
    let line = 1
    let node: unknown = this.document.contents
    for (const part of path) {
      if (isAlias(node)) node = node.resolve(this.document)
      if (isSeq(node) && typeof part === 'number') {
        node = node.items[part]
        line = this.lineOf(node) || line
      } else if (isMap(node)) {
        const pair = this.index(node).get(String(part))
        if (!pair) break
        line = this.lineOf(pair.key) || line
        node = pair.value
      } else break
    }
    return line
  }

  lineOf(node: unknown): number {
    const range = (node as { range?: [number, number, number] | null } | null)?.range
    return range ? this.counter.linePos(range[0]).line : 0
  }

  firstLine(map: YAMLMap, key: string): number {
    return this.lineOf(map.items.find((pair) => keyText(pair.key) === key)?.key)
  }

  // A map of ten thousand peers is asked as often as it has faults.
  private index(map: YAMLMap): Map<string | null, { key: unknown; value: unknown }> {
    let index = this.indexes.get(map)
    if (!index) {
      index = new Map(map.items.map((pair) => [keyText(pair.key), pair]))
      this.indexes.set(map, index)
    }
    return index
  }
}
