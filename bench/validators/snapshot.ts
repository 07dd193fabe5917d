/** What a snapshot of many nodes, made by one of four validators, does to their commits. */
import type { WrittenSnapshot } from '../../src/node/snapshot/snapshot-writer.ts';
import { measureBeside, type BesideOptions, type BesideResult } from './beside.ts';
import { Population } from './population.ts';

export interface SnapshotBesideOptions extends Omit<BesideOptions, 'events'> {
  /** Each has joined by an event of its own. */
  readonly nodes: number;
}

export interface SnapshotBesideResult extends BesideResult<WrittenSnapshot> {
  readonly nodes: number;
}

export async function measureSnapshotBeside(options: SnapshotBesideOptions): Promise<SnapshotBesideResult> {
  const { nodes } = options;
  const population = new Population(nodes, 'ed25519');
  const nobody = () => [];
  const result = await measureBeside({ ...options, events: nodes }, population, nobody, ({ control }) =>
    control.snapshotCreate(),
  );
  return { nodes, ...result };
}
