/** Events that want to be in a block, from this node's submitters and from other validators. */
import type { VerifiedEvent } from '../ledger/verified-event.ts';
import { judge } from './committing.ts';
import type { Replica } from './replica.ts';

export function submit(replica: Replica, events: readonly VerifiedEvent[]): void {
  const { mempool, turn } = replica;
  const refusalOf = judge(replica);
  for (const event of events) {
    const added = mempool.add(event, (candidate) => {
      const refusal = refusalOf(candidate);
      return refusal !== null && isUnderWay(replica, candidate.event.peerId) ? null : refusal;
    });
    if (!added.ok) turn.reject(event.id, added.refusal);
  }
}

/** An uncommitted block holds an event of this node, which may be what makes the next one valid. */
function isUnderWay({ tree }: Replica, peerId: string): boolean {
  return tree.uncommitted().some(({ block }) => block.events.some(({ event }) => event.peerId === peerId));
}
