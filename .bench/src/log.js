// Logs: JSON lines on stderr, or plain text on a terminal; stdout is data. Secrets never come here. Cold.
import { pino } from 'pino';
const ORDER = ['error', 'warn', 'info', 'debug'];
/** `level` and worse are written. */
export function createLog(options) {
    return (options.plain ?? process.stderr.isTTY) ? plainLog(options.level) : jsonLog(options.level);
}
function jsonLog(level) {
    const out = pino({
        level,
        base: null,
        timestamp: pino.stdTimeFunctions.isoTime,
        formatters: { level: (label) => ({ level: label }) },
    }, pino.destination({ dest: 2, sync: true }));
    return {
        error: (t) => out.error(t),
        warn: (t) => out.warn(t),
        info: (t) => out.info(t),
        debug: (t) => out.debug(t),
    };
}
function plainLog(level) {
    const write = (at) => (text) => {
        if (ORDER.indexOf(at) <= ORDER.indexOf(level))
            process.stderr.write(`vtepd: ${at === 'info' ? '' : `${at}: `}${text}\n`);
    };
    return { error: write('error'), warn: write('warn'), info: write('info'), debug: write('debug') };
}
//# sourceMappingURL=log.js.map