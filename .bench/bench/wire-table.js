// Samples of all rounds, and the table of medians made from them.
import { paintFor } from '../src/cli/output.js';
import { table } from '../src/cli/table.js';
import { median } from '../src/lab/median.js';
import { GOALS, verdict } from './goal.js';
export class Samples {
    values = new Map();
    add(goal, system, value) {
        const key = `${goal} ${system}`;
        this.values.set(key, [...(this.values.get(key) ?? []), value]);
    }
    of(goal, system) {
        return this.values.get(`${goal} ${system}`) ?? [];
    }
}
/** TUN has no kernel device of its own: it is compared with the same one as TAP. */
const REFERENCE = { tunThere: 'tcpThere', tunBack: 'tcpBack', tunRtt: 'rtt' };
export function wireRows(samples) {
    return Object.keys(GOALS).map((name) => {
        const goal = GOALS[name];
        const vtepd = samples.of(name, 'vtepd');
        const kernel = goal.ratio ? samples.of(REFERENCE[name] ?? name, 'kernel') : [];
        const raw = goal.ratio ? samples.of(REFERENCE[name] ?? name, 'raw') : [];
        const figure = goal.ratio ? median(vtepd) / median(kernel) : median(vtepd);
        return { goal, vtepd, kernel, raw, figure, verdict: verdict(goal, figure) };
    });
}
export function wireTable(rows) {
    const columns = [
        { title: '' },
        { title: 'unit' },
        { title: 'raw veth', right: true },
        { title: 'kernel', right: true },
        { title: '±', right: true },
        { title: 'vtepd', right: true },
        { title: '±', right: true },
        { title: 'floor', right: true },
        { title: 'aim', right: true },
        { title: 'figure', right: true },
        { title: 'verdict' },
    ];
    return table(columns, rows.map(cells), paintFor(process.stdout));
}
function cells({ goal, vtepd, kernel, raw, figure, verdict }) {
    const bound = goal.more ? '≥' : '≤';
    return [
        goal.name,
        goal.unit,
        number(median(raw)),
        number(median(kernel)),
        spread(kernel),
        number(median(vtepd)),
        spread(vtepd),
        `${bound} ${goal.floor}`,
        `${bound} ${goal.aim}`,
        number(figure),
        verdict,
    ];
}
// Half the way from the lowest to the highest, in parts of the median.
function spread(values) {
    if (values.length < 2)
        return '';
    const half = (Math.max(...values) - Math.min(...values)) / 2;
    return `${((100 * half) / median(values)).toFixed(0)}%`;
}
function number(value) {
    if (!Number.isFinite(value))
        return '-';
    return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
//# sourceMappingURL=wire-table.js.map