// The shapes that cross the agent's socket, and what the agent offers behind it. docs/command-line.md describes the JSON.
/** An answer that is not 200: `status` is HTTP's, `message` says where and how to mend it; `faults` lists all of a file. */
export class ApiError extends Error {
    status;
    faults;
    constructor(status, message, faults = []) {
        super(message);
        this.status = status;
        this.faults = faults;
    }
}
//# sourceMappingURL=api.js.map