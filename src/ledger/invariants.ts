/**
 * What holds of every record after every block. Checked in production on each record that changes: a record that
 * breaks one was made by a bug of this program, and the process stops before it votes for it.
 */
import { assert } from '../base/assert.ts';
import { NANOSECONDS, openUptimeSeconds, type NodeRecord } from './record.ts';
import { NODE_KEY_PREFIX, nodeKey, type StateChange } from './state.ts';

/** @throws AssertionError */
export function checkRecordInvariants(record: NodeRecord): void {
  const { peerId, firstJoined, lastJoined, lastLeft, lastHeard, lastUpdated, activity } = record;
  assert(
    firstJoined <= lastJoined && lastJoined <= lastHeard && lastHeard <= lastUpdated,
    'firstJoined <= lastJoined <= lastHeard <= lastUpdated',
    { peerId, firstJoined, lastJoined, lastHeard, lastUpdated },
  );
  assert(lastLeft <= lastUpdated, 'a node left before its last update', { peerId, lastLeft, lastUpdated });
  assert(
    activity === 'joined' ? lastLeft <= lastJoined : lastLeft >= lastJoined,
    'a node that left has no open session, and one that joined has',
    { peerId, activity, lastJoined, lastLeft },
  );
  const uptimeNs = record.closedUptimeNs + BigInt(openUptimeSeconds(record)) * NANOSECONDS;
  assert(
    record.closedUptimeNs >= 0n && uptimeNs <= BigInt(lastUpdated - firstJoined) * NANOSECONDS,
    'all sessions fit between firstJoined and lastUpdated',
    { peerId, uptimeNs, firstJoined, lastUpdated },
  );
  assert(
    record.multiaddrs.every((address, index, all) => index === 0 || (all[index - 1] as string) < address),
    'addresses are sorted and each is there once',
    { peerId, addresses: record.multiaddrs.length },
  );
  assert(
    record.origin === 'import' || record.lastSeq > 0,
    'a record has a verified event of its node, or a genesis import, behind it',
    { peerId, lastSeq: record.lastSeq },
  );
}

/**
 * No third party, one validator included, changes a node's record: an event changes that of its signer, and the
 * one that an action decided by a quorum is about.
 *
 * @throws AssertionError
 */
export function checkReach(signer: string, decidedAbout: string | undefined, changes: readonly StateChange[]): void {
  for (const { key } of changes) {
    if (!key.startsWith(NODE_KEY_PREFIX)) continue;
    const own = key === nodeKey(signer);
    const decided = decidedAbout !== undefined && key === nodeKey(decidedAbout);
    assert(own || decided, "an event changes its signer's record, or what a quorum decided", { key, signer });
  }
}
