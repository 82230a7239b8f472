// Where the built programs lie: dist under the package's root, whichever build of this file asks.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
/** Path of a file of dist, `main.js` for one. Throws when it has not been built. */
export function built(name) {
    const path = join(packageRoot(), 'dist', name);
    if (!existsSync(path))
        throw new Error(`${path} is not there: build it first (npm run build)`);
    return path;
}
function packageRoot() {
    let dir = dirname(fileURLToPath(import.meta.url));
    while (!isRoot(dir)) {
        if (dir === dirname(dir))
            throw new Error('this file lies outside of the vtepd package');
        dir = dirname(dir);
    }
    return dir;
}
function isRoot(dir) {
    const file = join(dir, 'package.json');
    return existsSync(file) && JSON.parse(readFileSync(file, 'utf8')).name === 'vtepd';
}
//# sourceMappingURL=built.js.map