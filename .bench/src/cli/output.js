// What goes to stdout: text for people, with colour on a terminal alone, or one JSON object.
const CODES = { bold: '1', dim: '2', red: '31', green: '32', yellow: '33' };
/** Colours for `stream`; plain when it is no terminal or NO_COLOR is set (no-color.org). */
export function paintFor(stream, env = process.env) {
    const colour = stream.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
    return colour ? (style, text) => `\x1b[${CODES[style]}m${text}\x1b[0m` : (_style, text) => text;
}
export function printJson(value) {
    process.stdout.write(`${JSON.stringify(value)}\n`);
}
export function print(text) {
    process.stdout.write(text.endsWith('\n') || text === '' ? text : `${text}\n`);
}
/** Text from elsewhere without anything a terminal would obey. */
export function printable(text) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
    return text.replace(/[\x00-\x1f\x7f-\x9f]/g, '?');
}
//# sourceMappingURL=output.js.map