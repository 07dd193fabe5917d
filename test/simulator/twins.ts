/**
 * Twins (Bano and others, "Twins: BFT systems made robust", 2021): two correct validators with one key are one traitor
 * that equivocates by mere good conduct. This program notices that its key is in use elsewhere and falls silent; a
 * traitor would not, so here its memory of having noticed is taken out, as often as it comes.
 */
import { encodeMessage } from '../../src/hotstuff/wire.ts';
import { decodeSafetyRecord, encodeSafetyRecord } from '../../src/hotstuff/safety-record.ts';
import { safetyRecordOps } from '../../src/ledger/block-log.ts';
import { SAFETY_KEY } from '../../src/ledger/layout.ts';
import { messageFrame } from '../../src/node/peer-frame.ts';
import type { SeenFrame } from './lens.ts';
import type { World } from './world.ts';

/** It costs a start of the process each time. */
const LOOK_EVERY_MS = 2_000;

/** From now on. */
export function keepTwinsTalking(world: World): void {
  const twins = world.nodes.filter(({ index }) => world.twins.has(index));
  if (twins.length === 0) return;
  world.scheduler.after(LOOK_EVERY_MS, null, () => {
    for (const { id } of twins) forget(world, id);
    keepTwinsTalking(world);
  });
}

function forget(world: World, id: number): void {
  const { disk, life } = world.node(id);
  const written = disk.get(SAFETY_KEY);
  const record = written === undefined ? undefined : decodeSafetyRecord(written);
  if (life === null || record?.ok !== true || !record.value.rolledBack) return;
  world.crash(id, 'process');
  disk.apply(safetyRecordOps(encodeSafetyRecord({ ...record.value, rolledBack: false })), true);
  world.tally.count('adversary: a twin forgets that it has one');
  world.start(id);
}

/** What a twin hears instead: not what its other half has signed. */
export function untold({ frame, message }: SeenFrame): Uint8Array {
  if (message?.kind !== 'witness') return frame;
  return messageFrame(encodeMessage({ ...message, vote: null, timeout: null }));
}
