// The order of the files: what takes longest begins first, so that all workers end together. A file that is not in the list is
// as good as short, and only the end of the run is less even for it.
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** The longest first: what compiles C++, what starts processes by the dozen, what lets a while pass. */
const LONGEST = [
  'netns/join',
  'native/native',
  'interop/package',
  'interop/wireguard-go',
  'netns/secure-change',
  'netns/silent-hop',
  'interop/wg-selftest',
  'interop/vtepd-wg',
  'netns/demo',
  'netns/mss',
].map((name) => `/test/${name}.test.ts`)

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    return sorted.sort((a, b) => rank(a) - rank(b))
  }
}

// Files of `core` are the small change that fills up the end.
function rank({ moduleId, project }: TestSpecification): number {
  const at = LONGEST.findIndex((path) => moduleId.endsWith(path))
  if (at >= 0) return at
  return LONGEST.length + (project.name === 'core' ? 1 : 0)
}
