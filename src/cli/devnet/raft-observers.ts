/** The observers of a Raft devnet: servers without a vote, which the leader takes in. */
import { setTimeout as delay } from 'node:timers/promises';
import { CodedError } from '../../base/result.ts';
import type { TestnetNode } from '../../node/testnet.ts';
import type { NodeProcess } from './node-process.ts';

const LOOK_AGAIN_MS = 100;
/** What passes by itself, or another one has to be asked. */
const PASSING: ReadonlySet<string> = new Set([
  'not-leader',
  'raft-configuration-pending',
  'transferring',
  'leadership-lost',
]);

/** @throws CodedError of the leader, or the last one when nobody leads by then */
export async function takeInObservers(
  processes: readonly NodeProcess[],
  nodes: readonly TestnetNode[],
  deadlineMs: number,
): Promise<void> {
  const giveUpAtMs = Date.now() + deadlineMs;
  for (const { peerId, role } of nodes) if (role === 'observer') await takeIn(peerId, processes, giveUpAtMs);
}

async function takeIn(peerId: string, processes: readonly NodeProcess[], giveUpAtMs: number): Promise<void> {
  const validators = processes.filter(({ node }) => node.role === 'validator');
  for (let turn = 0; ; turn++) {
    const asked = validators[turn % validators.length];
    try {
      await asked?.control.raftChange({ kind: 'add-nonvoter', id: peerId, address: peerId });
      return;
    } catch (error) {
      const passes = error instanceof CodedError && PASSING.has(error.code);
      if (!passes || Date.now() >= giveUpAtMs) throw error;
    }
    await delay(LOOK_AGAIN_MS);
  }
}
