/** What a rebuild of all projections in one of four validators does to their commits, over a log that was written before. */
import { setTimeout as delay } from 'node:timers/promises';
import { measureBeside, type BesideOptions, type BesideResult } from './beside.ts';
import { Population } from './population.ts';

export interface RebuildOptions extends BesideOptions {
  readonly nodes: number;
}

export interface RebuildResult extends BesideResult<void> {
  readonly events: number;
}

const LOOK_AGAIN_MS = 250;

export async function measureRebuild(options: RebuildOptions): Promise<RebuildResult> {
  const population = new Population(options.nodes, 'ed25519');
  const records = (timestamp: number) => population.records(timestamp);
  const result = await measureBeside(options, population, records, async ({ control }) => {
    await control.rebuild([]);
    while ((await control.status()).rebuild !== null) await delay(LOOK_AGAIN_MS);
  });
  return { events: options.events, ...result };
}
