// The far half of lab/loadgen.ts, a process of its own on a lab's host:
//   sink tcp|udp ADDRESS PORT          counts what arrives; answers each line on stdin with {bytes, now}
//   source tcp ADDRESS PORT STREAMS    sends until it is ended
//   source udp ADDRESS PORT SIZE
import { createSocket } from 'node:dgram';
import { connect, createServer, isIPv6 } from 'node:net';
/** Bytes a TCP write; datagrams in flight to the socket at once. */
const CHUNK = 256 * 1024;
const IN_FLIGHT = 64;
const UDP_BUFFER = 4 * 1024 * 1024;
const [role, protocol, address, port, amount] = process.argv.slice(2);
let bytes = 0;
function sinkTcp() {
    const server = createServer();
    server.on('connection', (socket) => {
        socket.on('error', () => { });
        socket.on('data', (chunk) => {
            bytes += chunk.length;
        });
    });
    server.listen(Number(port), address, ready);
}
function sinkUdp() {
    const socket = createSocket({ type: isIPv6(address) ? 'udp6' : 'udp4', recvBufferSize: UDP_BUFFER });
    socket.on('message', (message) => {
        bytes += message.length;
    });
    socket.bind(Number(port), address, ready);
}
function ready() {
    process.stdout.write('ready\n');
    process.stdin.on('data', () => {
        process.stdout.write(`${JSON.stringify({ bytes, now: performance.now() })}\n`);
    });
}
function sourceTcp() {
    const chunk = Buffer.alloc(CHUNK);
    for (let i = 0; i < Number(amount); i++) {
        const socket = connect(Number(port), address);
        const more = () => {
            while (socket.write(chunk))
                ;
        };
        socket.on('connect', more);
        socket.on('drain', more);
        socket.on('error', fail);
    }
}
function sourceUdp() {
    const message = Buffer.alloc(Number(amount));
    const socket = createSocket({ type: isIPv6(address) ? 'udp6' : 'udp4', sendBufferSize: UDP_BUFFER });
    // Full or refused for the moment: what counts is what arrives.
    const again = () => socket.send(message, again);
    socket.connect(Number(port), address, () => {
        for (let i = 0; i < IN_FLIGHT; i++)
            again();
    });
    socket.on('error', fail);
}
function fail(error) {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
}
const roles = {
    'sink tcp': sinkTcp,
    'sink udp': sinkUdp,
    'source tcp': sourceTcp,
    'source udp': sourceUdp,
};
roles[`${role} ${protocol}`]();
//# sourceMappingURL=loadgen-child.js.map