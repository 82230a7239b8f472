// Numbers as people read them. JSON and metrics carry plain numbers.
const BINARY = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
const DECIMAL = ['', 'k', 'M', 'G', 'T', 'P'];
/** `1.5 MiB` */
export function bytes(n) {
    return scaled(n, 1024, BINARY, ' ');
}
/** `12.3 k`: packets, entries */
export function count(n) {
    return scaled(n, 1000, DECIMAL, ' ');
}
/** `1.25 Gbit/s` from bytes per second */
export function bitRate(bytesPerSecond) {
    return `${scaled(bytesPerSecond * 8, 1000, DECIMAL, ' ', true)}bit/s`;
}
/** `84.2 kpps` */
export function packetRate(perSecond) {
    return `${scaled(perSecond, 1000, DECIMAL, ' ', true)}pps`;
}
/** `3d 4h`, `4h 5m`, `5m 6s`, `6s` */
export function span(seconds) {
    const whole = Math.max(0, Math.floor(seconds));
    const parts = [
        [Math.floor(whole / 86400), 'd'],
        [Math.floor(whole / 3600) % 24, 'h'],
        [Math.floor(whole / 60) % 60, 'm'],
        [whole % 60, 's'],
    ];
    const first = parts.findIndex(([n]) => n > 0);
    if (first === -1)
        return '0s';
    return parts
        .slice(first, first + 2)
        .map(([n, unit]) => `${n}${unit}`)
        .join(' ');
}
function scaled(n, step, units, gap, always = false) {
    let value = n;
    let unit = 0;
    // 999.6 is shown as 1.00 of the next unit, never as 1000.
    while (Math.abs(value) >= step - 0.5 && unit < units.length - 1) {
        value /= step;
        unit++;
    }
    const digits = unit === 0 ? 0 : Math.abs(value) < 9.995 ? 2 : Math.abs(value) < 99.95 ? 1 : 0;
    const label = units[unit];
    return `${value.toFixed(digits)}${label === '' && !always ? '' : gap}${label}`;
}
//# sourceMappingURL=units.js.map