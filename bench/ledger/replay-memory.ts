/** What a replay takes of memory, whatever the length of the log: each in a process of its own, which ends with its peak. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { NODE_ENVIRONMENT, NODE_FLAGS } from '../../src/node/node-flags.ts';
import type { ReplayedInProcess } from './replay-process.ts';
import { writeLedger } from './replay.ts';

export interface ReplayMemoryOptions {
  /** On the disk that is to be measured. */
  readonly parent: string;
  readonly nodes: number;
  /** Of the log, ascending: it is as long as the last, and replayed up to each. Multiples of `eventsPerBlock`. */
  readonly events: readonly number[];
  readonly eventsPerBlock: number;
}

const PROCESS = fileURLToPath(new URL('./replay-process.ts', import.meta.url));

export async function measureReplayMemory(options: ReplayMemoryOptions): Promise<readonly ReplayedInProcess[]> {
  const { events, eventsPerBlock, nodes, parent } = options;
  const directory = await mkdtemp(join(parent, 'hlb-'));
  try {
    const longest = events.at(-1) ?? 0;
    const config = await writeLedger(join(directory, 'net'), { nodes, events: longest, eventsPerBlock });
    const measured: ReplayedInProcess[] = [];
    for (const length of events) {
      const to = String(length / eventsPerBlock);
      // As the command is started.
      const argv = [...NODE_FLAGS, PROCESS, config.dataDirectory, config.genesis, to];
      const { stdout } = await promisify(execFile)(process.execPath, argv, {
        env: { ...process.env, ...NODE_ENVIRONMENT },
      });
      const replayed = JSON.parse(stdout) as ReplayedInProcess;
      if (replayed.events !== length) throw new Error(`${replayed.events} of ${length} events were replayed`);
      measured.push(replayed);
    }
    return measured;
  } finally {
    await rm(directory, { recursive: true });
  }
}
