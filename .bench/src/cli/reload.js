// `vtepd reload`: the agent reads its file again; a faulty one is refused whole and the old configuration stays.
import { Client } from './client.js';
import { DONE } from './exit.js';
import { printJson } from './output.js';
export async function reload(flags) {
    await new Client(flags).ask('POST', '/v1/reload');
    if (flags.on('json'))
        printJson({ schema: 1 });
    return DONE;
}
//# sourceMappingURL=reload.js.map