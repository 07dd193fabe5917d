/** The far end of the loopback floor, on a thread of its own: sends back what comes. */
import { createServer, type AddressInfo } from 'node:net';
import { parentPort } from 'node:worker_threads';

const server = createServer((socket) => {
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  socket.pipe(socket);
});
server.listen(0, '127.0.0.1', () => {
  parentPort?.postMessage((server.address() as AddressInfo).port);
});
