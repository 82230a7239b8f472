// Medians, which one bad round does not move.
/** NaN for an empty list. */
export function median(values) {
    const sorted = [...values].sort((a, b) => a - b);
    const middle = sorted.length >> 1;
    if (sorted.length % 2 === 1)
        return sorted[middle];
    return (sorted[middle - 1] + sorted[middle]) / 2;
}
//# sourceMappingURL=median.js.map