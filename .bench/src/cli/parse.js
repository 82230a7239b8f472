// The command line to a command and its flags, by yargs, which is fed the table of commands.ts and says what is wrong in one
// line. Nothing runs here.
import yargs, {} from 'yargs';
import { nearest } from '../control/fault.js';
import { COMMANDS, flagsOf, GLOBAL_FLAGS } from './commands.js';
import { Failure, USAGE } from './exit.js';
import { join, unknownVariables } from './flags.js';
import { version } from './version.js';
const WIDTH = 100;
const WORDS = {
    'Options:': 'Flags:',
    'Positionals:': 'Arguments:',
    'Show help': 'This help',
    'Show version number': 'The version',
};
// Every word as it was typed: no numbers, no negation, no camel case, one value a flag.
const PARSER = {
    'boolean-negation': false,
    'camel-case-expansion': false,
    'dot-notation': false,
    'greedy-arrays': false,
    'parse-numbers': false,
    'parse-positional-numbers': false,
    'strip-aliased': true,
};
/** Throws Failure with exit code 2 for what does not fit the table. `columns`: width of the terminal. */
export async function parse(args, env, columns = WIDTH) {
    let chosen = null;
    let text = '';
    const parser = root(columns);
    addCommands(parser, COMMANDS, ['vtepd'], (command, typed) => {
        chosen = { command, typed };
    });
    parser.fail((message, error) => {
        throw error instanceof Failure ? error : usage(args, message ?? error?.message ?? 'cannot be understood');
    });
    await parser.parseAsync([...args], {}, (_error, _typed, output) => {
        text = output;
    });
    if (text !== '')
        return { kind: 'text', text: `${text.trimEnd()}\n` };
    if (chosen === null)
        throw usage(args, 'no command');
    const { command, typed } = chosen;
    const flags = join(typed, [...(command.flags ?? []), ...GLOBAL_FLAGS], env);
    return { kind: 'run', command, flags, warnings: warningsOf(env) };
}
function warningsOf(env) {
    const known = [...flagsOf(COMMANDS), ...GLOBAL_FLAGS];
    return unknownVariables(env, known).map((name) => `the variable ${name} names no flag and is ignored`);
}
function root(columns) {
    const parser = yargs()
        .usageConfiguration({ 'hide-types': true })
        .scriptName('vtepd')
        .locale('en')
        .updateStrings(WORDS)
        .parserConfiguration(PARSER)
        .usage('vtepd: layer 2 and layer 3 overlays between hosts, VXLAN in userspace\n\nUsage: vtepd <command> [flags]')
        .epilogue('A flag is also a variable: VTEPD_RUNTIME_DIR for --runtime-dir. `vtepd <command> --help` says more.')
        .help('help')
        .alias('help', 'h')
        .version(version())
        .wrap(Math.min(columns, WIDTH))
        .strict()
        .demandCommand(1)
        .exitProcess(false);
    for (const flag of GLOBAL_FLAGS)
        addFlag(parser, flag);
    return parser.group([...GLOBAL_FLAGS.map((flag) => flag.name), 'help', 'version'], 'Global flags:');
}
function addCommands(parser, commands, path, choose) {
    for (const command of commands) {
        const usageText = [
            command.name,
            ...(command.arguments ?? []).map((a) => (a.optional ? `[${a.name}]` : `<${a.name}>`)),
        ];
        const build = (own) => {
            const here = [...path, ...usageText].join(' ');
            const more = command.more === undefined ? '' : `\n\n${command.more}`;
            own.usage(`${command.about}${more}\n\nUsage: ${here}${command.load ? '' : ' <command>'} [flags]`).epilogue('');
            for (const argument of command.arguments ?? []) {
                own.positional(argument.name, { type: 'string', describe: argument.about });
            }
            for (const flag of command.flags ?? [])
                addFlag(own, flag);
            if (!command.load)
                own.demandCommand(1);
            addCommands(own, command.commands ?? [], [...path, command.name], choose);
            return own;
        };
        parser.command(usageText.join(' '), command.about, build, (typed) => {
            const extra = typed._.slice(path.length)[0];
            if (extra !== undefined)
                throw unknown([...path.slice(1), command.name], String(extra), false);
            checkChoices(command, typed);
            choose(command, typed);
        });
    }
}
function addFlag(parser, flag) {
    const value = flag.value === undefined ? '' : `${flag.value}: `;
    parser.option(flag.name, {
        ...(flag.short === undefined ? {} : { alias: flag.short }),
        type: flag.kind === 'switch' ? 'boolean' : 'string',
        requiresArg: flag.kind !== 'switch',
        describe: `${value}${flag.about}`,
    });
}
function checkChoices(command, typed) {
    for (const { name, choices } of command.arguments ?? []) {
        const value = typed[name];
        if (!choices || value === undefined || choices.includes(String(value)))
            continue;
        throw new Failure(USAGE, `${command.name}: want ${choices.join(' or ')}, got ${JSON.stringify(value)}`);
    }
}
// What yargs found, as one line with the mend.
function usage(args, message) {
    const path = pathOf(args);
    const [, first] = /^Unknown (?:argument|command)s?: ([^,]+)/.exec(message) ?? [];
    if (first !== undefined) {
        const option = args.find((arg) => arg === `--${first}` || arg.startsWith(`--${first}=`));
        return unknown(path, first, option !== undefined || args.some((arg) => /^-[^-]/.test(arg) && arg.includes(first)));
    }
    const [, flag] = /^Not enough arguments following: (\S+)/.exec(message) ?? [];
    const where = ['vtepd', ...path].join(' ');
    if (flag !== undefined) {
        const { name, value } = [...flagsOf(COMMANDS), ...GLOBAL_FLAGS].find((f) => f.name === flag || f.short === flag) ?? {
            name: flag,
            value: 'VALUE',
        };
        return new Failure(USAGE, `--${name} has no value; want --${name} ${value}`);
    }
    if (message === 'no command' || message.startsWith('Not enough non-option')) {
        return new Failure(USAGE, `${where}: ${missing(path)}; \`${where} --help\` says more`);
    }
    return new Failure(USAGE, `${where}: ${message}; \`${where} --help\` says more`);
}
function missing(path) {
    const command = commandAt(path);
    if (!command?.arguments)
        return `want a command: ${below(path).join(', ')}`;
    return `want ${command.arguments.map((argument) => argument.name.toUpperCase()).join(' and ')}`;
}
function unknown(path, word, isFlag) {
    const where = ['vtepd', ...path].join(' ');
    const short = word.length === 1;
    const name = isFlag ? `${short ? '-' : '--'}${word}` : JSON.stringify(word);
    const own = [...(commandAt(path)?.flags ?? []), ...GLOBAL_FLAGS].map((flag) => flag.name);
    const guess = short && isFlag ? null : nearest(word, isFlag ? [...own, 'help', 'version'] : below(path));
    const kind = isFlag ? 'flag' : below(path).length > 0 ? 'command' : 'argument';
    const mend = guess === null
        ? `\`${where} --help\` lists what there is`
        : `did you mean ${isFlag ? `--${guess}` : `\`${where} ${guess}\``}?`;
    return new Failure(USAGE, `${where}: unknown ${kind} ${name}; ${mend}`);
}
// The commands named on the command line, as far as they exist.
function pathOf(args) {
    const path = [];
    for (const arg of args)
        if (below(path).includes(arg))
            path.push(arg);
    return path;
}
function commandAt(path) {
    let commands = COMMANDS;
    let found = null;
    for (const name of path) {
        found = commands.find((one) => one.name === name) ?? null;
        commands = found?.commands ?? [];
    }
    return found;
}
function below(path) {
    const commands = path.length === 0 ? COMMANDS : (commandAt(path)?.commands ?? []);
    return commands.map((command) => command.name);
}
//# sourceMappingURL=parse.js.map