// The host's monotonic clock, as native reads it: CLOCK_MONOTONIC in whole milliseconds, the same in every thread.
/** Milliseconds since an arbitrary moment in the past; never goes back. */
export function now() {
    const [seconds, nanoseconds] = process.hrtime();
    return seconds * 1000 + Math.floor(nanoseconds / 1e6);
}
//# sourceMappingURL=clock.js.map