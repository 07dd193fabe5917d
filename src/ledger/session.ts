/**
 * Sessions: what the ledger counts as uptime.
 *
 * A session is open from `lastJoined` and counts as far as the node was heard. It ends at the node's `left`, at its
 * next `joined` (it crashed in between), or, when it falls silent, one liveness window after it was last heard:
 * whichever is first. Sessions are disjoint and lie between firstJoined and lastUpdated, so uptime cannot compound.
 * All times are block times, unix seconds.
 */
import { NANOSECONDS, type NodeRecord } from './record.ts';

/** The closed uptime once the open session ends now, or when it lapsed. */
export function closeSession(record: NodeRecord, now: number, windowSeconds: number): bigint {
  const end = Math.min(now, record.lastHeard + windowSeconds);
  return record.closedUptimeNs + BigInt(end - record.lastJoined) * NANOSECONDS;
}

/** The node was heard now. After a silence longer than the window, the old session is closed and a new one opened. */
export function heard(record: NodeRecord, now: number, windowSeconds: number): NodeRecord {
  const seen = { ...record, lastHeard: now, lastUpdated: now };
  const lapsed = record.activity === 'joined' && now > record.lastHeard + windowSeconds;
  return lapsed ? { ...seen, closedUptimeNs: closeSession(record, now, windowSeconds), lastJoined: now } : seen;
}

export function joined(record: NodeRecord, now: number, windowSeconds: number): NodeRecord {
  const closedUptimeNs =
    record.activity === 'joined' ? closeSession(record, now, windowSeconds) : record.closedUptimeNs;
  return { ...record, activity: 'joined', closedUptimeNs, lastJoined: now, lastHeard: now, lastUpdated: now };
}

export function left(record: NodeRecord, now: number, windowSeconds: number): NodeRecord {
  return {
    ...record,
    activity: 'left',
    closedUptimeNs: closeSession(record, now, windowSeconds),
    lastLeft: now,
    lastHeard: now,
    lastUpdated: now,
  };
}
