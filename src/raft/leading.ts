/** The beginning of a leadership (Raft, figure 2, "Leaders"). */
import { followAll } from './configuring.ts';
import { ENTRY_TYPES } from './messages.ts';
import { PendingProposals } from './pending-proposals.ts';
import { appendOwn } from './proposing.ts';
import type { Leadership, RaftServer } from './server.ts';

/** A majority has voted for this server. */
export function lead(server: RaftServer): void {
  const { log, nowMs, self } = server;
  const leadership: Leadership = {
    sinceMs: nowMs,
    firstIndex: log.lastIndex + 1,
    followers: new Map(),
    proposals: new PendingProposals(),
    change: null,
    transfer: null,
    reads: { round: 1, openedAt: null, waiting: [] },
    heartbeatAtMs: nowMs,
    leaseEndsAtMs: nowMs + server.timings.leaseMs,
    tellCommitAtMs: Infinity,
    remindAtMs: nowMs + server.timings.heartbeatMs,
  };
  server.calls.forget();
  server.candidacy = null;
  server.role = 'leader';
  server.lastLedTerm = server.hardState.term;
  server.leader = self;
  server.electionAtMs = Infinity;
  server.leadership = leadership;
  // The others are assumed to have what this log holds, and the no-op behind it is the first that they are sent.
  followAll(server, leadership);
  appendOwn(server, ENTRY_TYPES.noop, null);
}
