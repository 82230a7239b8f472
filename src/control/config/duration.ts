// Spans of time as people write them: `300s`, `5m`, `1h30m`.

/** Seconds, or null when the text is no such span. Units descend and each comes once. */
export function parseDuration(text: string): number | null {
  const parts = /^(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?$/.exec(text)
  if (!parts || text === '') return null
  const [, hours, minutes, seconds] = parts
  return Number(hours ?? 0) * 3600 + Number(minutes ?? 0) * 60 + Number(seconds ?? 0)
}
