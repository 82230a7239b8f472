// JSON objects as Go's encoding/json reads them into a struct, since that is who writes and reads the store beside us: names in
// any case, the last of two wins, null is nothing, unknown names are passed over. Cold.

/** A value that Go would refuse; the message names the field. */
export class GoJsonError extends Error {}

/** One object's fields by the names asked for, whatever the case they are written in. */
export class Fields {
  private readonly found = new Map<string, unknown>()
  private readonly path: string

  /** `path`: of the object, for messages; empty: the text's own. */
  constructor(value: unknown, path = '') {
    this.path = path
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new GoJsonError(`${path || 'the text'}: want an object, got ${gotOf(value)}`)
    }
    for (const [name, field] of Object.entries(value)) if (field !== null) this.found.set(name.toLowerCase(), field)
  }

  has(name: string): boolean {
    return this.found.has(name.toLowerCase())
  }

  /** undefined: not written, or null. */
  text(name: string): string | undefined {
    return this.typed(name, 'a string', (value) => typeof value === 'string')
  }

  flag(name: string): boolean | undefined {
    return this.typed(name, 'true or false', (value) => typeof value === 'boolean')
  }

  integer(name: string, min: number, max: number): number | undefined {
    const fits = (value: unknown): boolean =>
      Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max
    return this.typed(name, `a whole number from ${min} to ${max}`, fits)
  }

  object(name: string): Fields | undefined {
    const value = this.found.get(name.toLowerCase())
    return value === undefined ? undefined : new Fields(value, this.nameOf(name))
  }

  nameOf(name: string): string {
    return this.path === '' ? name : `${this.path}.${name}`
  }

  private typed<T>(name: string, want: string, fits: (value: unknown) => boolean): T | undefined {
    const value = this.found.get(name.toLowerCase())
    if (value === undefined || fits(value)) return value as T | undefined
    throw new GoJsonError(`${this.nameOf(name)}: want ${want}, got ${gotOf(value)}`)
  }
}

/** The object that a text is. Throws GoJsonError. */
export function parseFields(text: string): Fields {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new GoJsonError('it is no JSON')
  }
  return new Fields(value)
}

// Of a scalar only: what is nested deeply enough overflows the stack of whoever prints it.
function gotOf(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object' && value !== null) return 'an object'
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}
