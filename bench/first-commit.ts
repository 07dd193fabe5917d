/** How long it takes from `npm start` in a fresh directory until the network has committed something. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ControlClient } from '../src/node/control-client.ts';

const DEADLINE_MS = 60_000;
const LOOK_AGAIN_MS = 20;

/** @returns seconds */
export async function measureFirstCommit(parent: string): Promise<number> {
  const directory = await mkdtemp(join(parent, 'hlb-'));
  const devnet = join(directory, 'net');
  const startedMs = performance.now();
  const child = spawn('npm', ['start', '--silent', '--', '--dir', devnet, '--duration', '3s'], {
    cwd: join(import.meta.dirname, '..'),
    stdio: 'ignore',
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  try {
    const control = new ControlClient(join(devnet, 'validator-1', 'data', 'control.sock'));
    while (performance.now() - startedMs < DEADLINE_MS) {
      const status = await control.status().catch(() => undefined);
      if ((status?.height ?? 0) > 0) return (performance.now() - startedMs) / 1000;
      await delay(LOOK_AGAIN_MS);
    }
    throw new Error('npm start did not commit anything');
  } finally {
    await ended;
    await rm(directory, { recursive: true });
  }
}
