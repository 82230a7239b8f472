// Says which seed this run draws from, so that a failure can be had again.

export function setup(): void {
  const seed = process.env['VTEPD_SEED']
  process.stdout.write(`seed ${seed}: VTEPD_SEED=${seed} repeats this run\n`)
}
