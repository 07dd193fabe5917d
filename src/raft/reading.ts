/**
 * From which index on a read is linearizable (Raft dissertation, 6.4): what was committed when the read came, once a
 * majority has said, asked after that, that this server still leads.
 *
 * Every request that leaves carries the number of the present round; reads that come in one step begin a new one.
 */
import { refuse } from '../base/result.ts';
import { quorumReaches } from './committing.ts';
import type { Progress } from './progress.ts';
import { notLeader } from './proposing.ts';
import type { Leadership, RaftServer } from './server.ts';

export function requestReadIndex(server: RaftServer, request: number): void {
  const { leadership, turn, limits, timings } = server;
  if (leadership === null) return turn.tell({ kind: 'unsettled', request, refusal: notLeader(server) });
  const { reads } = leadership;
  if (reads.waiting.length >= limits.maxWaitingReads) {
    const details = { limit: limits.maxWaitingReads, retryAfterMs: timings.commitMs };
    const { refusal } = refuse('busy', 'too many reads wait for a round of heartbeats', details);
    return turn.tell({ kind: 'unsettled', request, refusal });
  }
  if (reads.openedAt !== turn) {
    reads.openedAt = turn;
    reads.round++;
  }
  // A new leader may not know yet what is committed; that its no-op is says it all (dissertation, 6.4, step 1).
  const index = Math.max(server.commitIndex, leadership.firstIndex);
  reads.waiting.push({ request, round: reads.round, index });
}

/** Answers all reads whose round is confirmed. */
export function serveReads(server: RaftServer, leadership: Leadership): void {
  const { reads, firstIndex } = leadership;
  if (reads.waiting.length === 0 || server.commitIndex < firstIndex) return;
  const confirmed = quorumReaches(server, leadership, reads.round, confirmedRoundOf);
  let served = 0;
  for (const { request, round, index } of reads.waiting) {
    if (round > confirmed) break;
    server.turn.tell({ kind: 'readReady', request, index });
    served++;
  }
  if (served > 0) reads.waiting.splice(0, served);
}

function confirmedRoundOf({ confirmedRound }: Progress): number {
  return confirmedRound;
}
