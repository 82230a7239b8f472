/** What `send` and `resume` answer when the far side is full: nothing is lost, call `resume` when it has drained. */
export const FULL = -1;
//# sourceMappingURL=link.js.map