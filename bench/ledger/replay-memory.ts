/** What a replay takes of memory, whatever the length of the log: each in a process of its own, which ends with its peak. */
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ReplayedInProcess } from './replay-process.ts';
import { replayInProcess, writeLedger } from './replay.ts';

export interface ReplayMemoryOptions {
  /** On the disk that is to be measured. */
  readonly parent: string;
  readonly nodes: number;
  /** Of the log, ascending: it is as long as the last, and replayed up to each. Multiples of `eventsPerBlock`. */
  readonly events: readonly number[];
  readonly eventsPerBlock: number;
}

export async function measureReplayMemory(options: ReplayMemoryOptions): Promise<readonly ReplayedInProcess[]> {
  const { events, eventsPerBlock, nodes, parent } = options;
  const directory = await mkdtemp(join(parent, 'hlb-'));
  try {
    const longest = events.at(-1) ?? 0;
    const config = await writeLedger(join(directory, 'net'), { nodes, events: longest, eventsPerBlock });
    const measured: ReplayedInProcess[] = [];
    for (const length of events) {
      const replayed = await replayInProcess(config, length / eventsPerBlock, 'seals');
      if (replayed.events !== length) throw new Error(`${replayed.events} of ${length} events were replayed`);
      measured.push(replayed);
    }
    return measured;
  } finally {
    await rm(directory, { recursive: true });
  }
}
