/** What holds of every record after every block, written down again: production asserts it by code of its own. */
import type { NodeEntry } from '../../../src/ledger/record.ts';

const NANOSECONDS = 1_000_000_000n;

/** @returns what should hold and does not, or null */
export function brokenInvariantOf(entry: NodeEntry): string | null {
  if (entry.kind === 'absent') return null;
  const { activity, closedUptimeNs, firstJoined, lastHeard, lastJoined, lastLeft, lastUpdated } = entry;
  const times = [firstJoined, lastJoined, lastHeard, lastUpdated];
  if (times.some((time, place) => place > 0 && time < times[place - 1]!)) {
    return 'firstJoined <= lastJoined <= lastHeard <= lastUpdated';
  }
  if (activity === 'left' && lastLeft < lastJoined) return 'a node that left has no open session';
  const openNs = activity === 'joined' ? BigInt(lastHeard - lastJoined) * NANOSECONDS : 0n;
  if (closedUptimeNs + openNs > BigInt(lastUpdated - firstJoined) * NANOSECONDS) {
    return 'all sessions fit between firstJoined and lastUpdated';
  }
  return null;
}
