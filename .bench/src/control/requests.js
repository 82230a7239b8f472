import { ApiError } from './api.js';
/** Bytes of a request's body: the largest is one FDB entry. */
const BODY_MAX = 16 * 1024;
/** Bytes of pcap that may wait for a slow reader; what comes while they wait is dropped and counted. */
export const CAPTURE_WAITING_MAX = 4 * 1024 * 1024;
/** Prometheus text; prom-client's own constant is not worth loading it for. */
export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';
const ROUTES = [
    { path: '/v1/status', methods: { GET: ({ api, response }) => answer(response, 200, { ...api.status() }) } },
    {
        path: '/v1/networks',
        methods: { GET: ({ api, response }) => answer(response, 200, { schema: 1, networks: api.status().networks }) },
    },
    {
        path: '/v1/peers',
        methods: { GET: ({ api, response }) => answer(response, 200, { schema: 1, peers: api.status().peers }) },
    },
    { path: '/v1/fdb', query: ['network'], methods: { GET: listFdb, POST: addFdb } },
    { path: '/v1/fdb', parts: 2, methods: { DELETE: delFdb } },
    {
        path: '/v1/profile',
        methods: { GET: ({ api, response }) => answer(response, 200, { schema: 1, ...api.profile() }) },
    },
    { path: '/v1/reload', methods: { POST: reload } },
    { path: '/v1/stop', methods: { POST: stop } },
    { path: '/v1/capture', query: ['network'], methods: { GET: capture } },
    { path: '/metrics', open: true, methods: { GET: metrics } },
    { path: '/healthz', open: true, methods: { GET: ({ response }) => words(response, 200, 'ok') } },
    {
        path: '/readyz',
        open: true,
        methods: {
            GET: ({ api, response }) => words(response, api.ready() ? 200 : 503, api.ready() ? 'ready' : 'not ready'),
        },
    },
];
/** Answers one request; never rejects. `api` null: the agent is starting. */
export async function handleRequest(api, scope, request, response, streams) {
    try {
        const url = urlOf(request);
        const method = request.method === 'HEAD' ? 'GET' : (request.method ?? 'GET');
        const { route, rest } = routeOf(url, method, scope, response);
        checkQuery(url, route);
        if (api === null)
            return starting(url, response);
        await route.methods[method]({ api, url, request, response, streams, rest });
    }
    catch (error) {
        refuse(response, error);
    }
}
function urlOf(request) {
    const target = request.url ?? '/';
    if (!target.startsWith('/'))
        throw new ApiError(400, 'the request target must be a path');
    try {
        return new URL(`http://agent${target}`);
    }
    catch {
        throw new ApiError(400, 'the request target is malformed');
    }
}
function routeOf(url, method, scope, response) {
    const path = url.pathname.length > 1 ? url.pathname.replace(/\/$/, '') : '/';
    const allowed = [];
    for (const route of ROUTES) {
        if (scope === 'metrics' && !route.open)
            continue;
        const rest = restOf(path, route);
        if (rest === null)
            continue;
        if (Object.hasOwn(route.methods, method))
            return { route, rest };
        allowed.push(...Object.keys(route.methods));
    }
    if (allowed.length === 0)
        throw new ApiError(404, `no such path: ${path}`);
    response.setHeader('Allow', allowed.join(', '));
    throw new ApiError(405, `${path} takes ${allowed.join(' or ')}`);
}
function restOf(path, route) {
    const parts = route.parts ?? 0;
    if (parts === 0)
        return path === route.path ? [] : null;
    if (!path.startsWith(`${route.path}/`))
        return null;
    const rest = path.slice(route.path.length + 1).split('/');
    if (rest.length !== parts)
        return null;
    try {
        return rest.map(decodeURIComponent);
    }
    catch {
        throw new ApiError(400, 'the path has a malformed % escape');
    }
}
function checkQuery(url, route) {
    for (const name of url.searchParams.keys()) {
        if (!route.query?.includes(name))
            throw new ApiError(400, `unknown query parameter ${JSON.stringify(name)}`);
        if (url.searchParams.getAll(name).length > 1)
            throw new ApiError(400, `query parameter ${name} is given twice`);
    }
}
function starting(url, response) {
    if (url.pathname === '/healthz')
        words(response, 200, 'ok');
    else if (url.pathname === '/readyz')
        words(response, 503, 'not ready');
    else
        throw new ApiError(503, 'the agent is starting; ask again in a moment');
}
async function listFdb({ api, url, response }) {
    answer(response, 200, { schema: 1, entries: await api.fdb(networkOf(url)) });
}
async function addFdb({ api, request, response }) {
    const { network, mac, vtep } = await fields(request, ['network', 'mac', 'vtep']);
    await api.fdbAdd(network, mac, vtep);
    answer(response, 200, { schema: 1 });
}
async function delFdb({ api, response, rest }) {
    await api.fdbDel(rest[0], rest[1]);
    answer(response, 200, { schema: 1 });
}
async function reload({ api, response }) {
    await api.reload();
    answer(response, 200, { schema: 1 });
}
function stop({ api, response }) {
    const { pid } = api.status();
    // Answered first: the end closes this socket. 'close' comes also when the caller has gone.
    response.once('close', () => api.stop());
    response.setHeader('Connection', 'close');
    answer(response, 202, { schema: 1, pid });
}
async function metrics({ api, response }) {
    const text = await api.metrics();
    response.writeHead(200, { 'Content-Type': METRICS_TYPE, 'Content-Length': Buffer.byteLength(text) }).end(text);
}
// Chunks are whole pcap records (the first also the file header), so that a dropped one leaves the stream well-formed.
function capture({ api, url, request, response, streams }) {
    let missed = 0;
    let begun = false;
    const begin = () => {
        if (begun)
            return;
        begun = true;
        response.writeHead(200, { 'Content-Type': 'application/vnd.tcpdump.pcap', Trailer: 'Vtepd-Missed' });
        response.flushHeaders();
    };
    const sink = (chunk) => {
        begin();
        if (response.writableLength > CAPTURE_WAITING_MAX)
            missed++;
        else
            response.write(chunk);
    };
    const stopCapture = api.capture(networkOf(url), sink);
    begin();
    const end = () => {
        if (!streams.delete(end))
            return;
        stopCapture();
        response.addTrailers({ 'Vtepd-Missed': String(missed) });
        response.end();
    };
    streams.add(end);
    response.once('close', end);
    if (request.method === 'HEAD')
        end();
}
function networkOf(url) {
    return url.searchParams.get('network') ?? undefined;
}
// A JSON object with exactly these keys, each a string.
async function fields(request, names) {
    const text = await body(request);
    let value;
    try {
        value = JSON.parse(text);
    }
    catch {
        throw new ApiError(400, 'the body is not JSON');
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
        throw new ApiError(400, 'the body is not a JSON object');
    }
    const record = value;
    const faults = [
        ...names.filter((name) => typeof record[name] !== 'string').map((name) => `${name}: want a string`),
        ...Object.keys(record)
            .filter((key) => !names.includes(key))
            .map((key) => `${key.slice(0, 60)}: unknown key`),
    ];
    if (faults.length > 0)
        throw new ApiError(400, 'the body is faulty', faults);
    return record;
}
async function body(request) {
    const chunks = [];
    let length = 0;
    for await (const chunk of request) {
        length += chunk.length;
        if (length > BODY_MAX)
            throw new ApiError(413, `the body is larger than ${BODY_MAX} bytes`);
        chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString('utf8');
}
/** The status and body of an answer to `error`. */
export function errorAnswer(error) {
    const message = error instanceof Error ? error.message : String(error);
    const { status, faults } = error;
    const list = Array.isArray(faults) && faults.length > 0 ? { faults } : {};
    // A fault list without a status is a configuration's.
    const code = typeof status === 'number' ? status : Array.isArray(faults) ? 422 : 500;
    return { status: code, value: { schema: 1, error: message, ...list } };
}
function refuse(response, error) {
    if (response.headersSent || response.destroyed) {
        response.destroy();
        return;
    }
    const { status, value } = errorAnswer(error);
    // The rest of a body that is too large is not read.
    if (status === 413)
        response.setHeader('Connection', 'close');
    answer(response, status, value);
}
function answer(response, status, value) {
    const text = `${JSON.stringify(value)}\n`;
    response
        .writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) })
        .end(text);
}
function words(response, status, text) {
    response.writeHead(status, { 'Content-Type': 'text/plain', 'Content-Length': text.length + 1 }).end(`${text}\n`);
}
//# sourceMappingURL=requests.js.map