import { constants } from 'node:os'
import { describe, expect, it } from 'vitest'
import * as errno from '../../../src/host/errno.ts'

const e = constants.errno

describe('classify', () => {
  it.each([
    [e.EAGAIN, errno.DRY],
    [e.EMSGSIZE, errno.TOO_BIG],
    [e.ENETUNREACH, errno.SKIP],
    [e.EPERM, errno.SKIP],
    [e.ENOBUFS, errno.SKIP],
    [e.EIO, errno.SKIP],
    [e.EINVAL, errno.SKIP],
    [e.EBADF, errno.GONE],
    [77, errno.GONE], // EBADFD, which node:os does not name
    [e.ENODEV, errno.GONE],
    [e.EFAULT, errno.FATAL],
    [0, errno.FATAL],
  ])('errno %d is %s, whatever its sign', (number, verdict) => {
    expect(errno.classify(number)).toBe(verdict)
    expect(errno.classify(-number)).toBe(verdict)
  })

  it('blames the train when a train was refused with EIO or EINVAL, and only then', () => {
    expect(errno.classify(e.EIO, true)).toBe(errno.DEGRADE)
    expect(errno.classify(e.EINVAL, true)).toBe(errno.DEGRADE)
    expect(errno.classify(e.EMSGSIZE, true)).toBe(errno.TOO_BIG)
    expect(errno.classify(e.ENODEV, true)).toBe(errno.GONE)
  })
})
