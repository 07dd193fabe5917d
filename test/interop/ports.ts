/**
 * Ports on loopback for servers that must keep theirs over a restart. They are taken from below those that the system
 * gives to outgoing connections: otherwise such a connection could sit on a server's port while the server is down.
 */
import { createServer } from 'node:net';

const FIRST = 10_000;
const COUNT = 22_000;
const ATTEMPTS = 200;

/** Of this process; another test's process begins somewhere else. */
const given = new Set<number>();

export async function freePort(): Promise<number> {
  for (let i = 0; i < ATTEMPTS; i++) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
  throw new Error(`no free port in ${ATTEMPTS} attempts`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
