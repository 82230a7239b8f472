// Aligned columns for people. Numbers to the right, words to the left; nothing is cut, so that it can be read by awk too.
import { printable } from './output.js';
/** One line a row under a line of titles; no rows: an empty string. */
export function table(columns, rows, paint) {
    if (rows.length === 0)
        return '';
    const cells = rows.map((row) => columns.map((_, i) => printable(row[i] ?? '') || '-'));
    const widths = columns.map(({ title }, i) => Math.max(title.length, ...widthsOf(cells, i)));
    const line = (row) => row
        .map((cell, i) => pad(cell, widths[i], columns[i]))
        .join('  ')
        .trimEnd();
    const head = paint('bold', line(columns.map(({ title }) => title)));
    return `${[head, ...cells.map(line)].join('\n')}\n`;
}
// In slices: a table of 10^5 rows must not be spread over one call's arguments.
function widthsOf(cells, column) {
    let widest = 0;
    for (const row of cells)
        widest = Math.max(widest, row[column].length);
    return [widest];
}
function pad(cell, width, column) {
    return column.right ? cell.padStart(width) : cell.padEnd(width);
}
//# sourceMappingURL=table.js.map