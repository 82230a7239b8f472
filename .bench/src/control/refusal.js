// Why a command or the agent cannot go on, for the person at the terminal: one line that says where and how to mend it, and
// the exit code that belongs to it.
export class Refusal extends Error {
    exitCode;
    constructor(message, exitCode, cause) {
        super(message, { cause });
        this.exitCode = exitCode;
    }
}
/** The code of a failed system call ('EPERM', …), or undefined. */
export function codeOf(error) {
    return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
/** `error` as a Refusal: EPERM and EACCES are "not permitted" (4), the rest failed while running (1). */
export function refusalFrom(error, where, mend) {
    if (error instanceof Refusal)
        return error;
    const code = codeOf(error);
    const text = error instanceof Error ? error.message : String(error);
    if (code === 'EPERM' || code === 'EACCES') {
        return new Refusal(`${where}: not permitted (${text}); run as root or give the process CAP_NET_ADMIN`, 4, error);
    }
    return new Refusal(`${where}: ${text}; ${mend}`, 1, error);
}
//# sourceMappingURL=refusal.js.map