// The version in package.json, which lies above src/ and above dist/ alike.
import { readFileSync } from 'node:fs';
export function version() {
    const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
    return JSON.parse(text).version;
}
//# sourceMappingURL=version.js.map