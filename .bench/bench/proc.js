// What /proc says about a process: CPU time used so far and memory held. proc_pid_stat(5), proc_pid_status(5).
import { readFileSync } from 'node:fs';
/** USER_HZ: ticks a second in /proc, 100 on every architecture that Node runs on. */
const TICKS = 100;
/** Fields behind the command's name. */
const UTIME = 11;
const STIME = 12;
/** Seconds of CPU time of all its threads, user and system. */
export function cpuSeconds(pid) {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[UTIME]) + Number(fields[STIME])) / TICKS;
}
/** VmRSS in bytes. */
export function residentBytes(pid) {
    const kib = /^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    if (kib === undefined)
        throw new Error(`/proc/${pid}/status has no VmRSS`);
    return Number(kib) * 1024;
}
//# sourceMappingURL=proc.js.map