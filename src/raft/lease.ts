/**
 * When a leader gives up by itself (Raft dissertation, 6.2): when it has not heard from a majority, so that its clients
 * try another; and when its own disk stands still, so that the others elect one whose disk works.
 */
import { refuse } from '../base/result.ts';
import { quorumReaches } from './committing.ts';
import type { Progress } from './progress.ts';
import { isDiskStalled, type Leadership, type RaftServer } from './server.ts';
import { stepDown } from './stepping-down.ts';

/** @returns whether this server still leads */
export function keepsLeading(server: RaftServer, leadership: Leadership): boolean {
  const { nowMs, timings, hardState } = server;
  if (isDiskStalled(server)) {
    const why = refuse('leadership-lost', 'the disk owes a write for an election timeout: others had better lead', {
      term: hardState.term,
      electionMs: timings.electionMs,
    });
    stepDown(server, hardState.term, why.refusal);
    return false;
  }
  if (nowMs < leadership.leaseEndsAtMs) return true;
  leadership.leaseEndsAtMs = quorumReaches(server, leadership, Infinity, lastSignOf) + timings.leaseMs;
  if (nowMs < leadership.leaseEndsAtMs) return true;
  const why = refuse('leadership-lost', 'no majority was heard within the lease', {
    term: hardState.term,
    leaseMs: timings.leaseMs,
  });
  stepDown(server, hardState.term, why.refusal);
  return false;
}

function lastSignOf({ lastSignMs }: Progress): number {
  return lastSignMs;
}
