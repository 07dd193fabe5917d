/** Everything that has become possible, in the order in which one thing makes another possible; and when time will. */
import { commitWhatQuorumHolds } from './committing.ts';
import { countVotes, standIfDue } from './election.ts';
import { sendHeartbeats } from './heartbeats.ts';
import { keepsLeading } from './lease.ts';
import { staysLeader, settleChange } from './membership-change.ts';
import { serveReads } from './reading.ts';
import { replicate } from './replication.ts';
import type { Leadership, RaftServer } from './server.ts';
import { pursueTransfer, transferDueMs } from './transfer.ts';

export function advance(server: RaftServer): void {
  if (server.leadership === null) {
    countVotes(server);
    standIfDue(server);
  }
  const { leadership } = server;
  if (leadership === null || !keepsLeading(server, leadership)) return;
  commitWhatQuorumHolds(server, leadership);
  settleChange(server, leadership);
  if (!staysLeader(server, leadership)) return;
  serveReads(server, leadership);
  pursueTransfer(server, leadership);
  sendHeartbeats(server, leadership);
  replicate(server, leadership);
}

/** @returns undefined when time alone changes nothing */
export function wakeAtMs(server: RaftServer): number | undefined {
  const { leadership } = server;
  const dueMs = leadership === null ? server.electionAtMs : leaderDueMs(server, leadership);
  return dueMs === Infinity ? undefined : Math.ceil(dueMs);
}

function leaderDueMs(server: RaftServer, leadership: Leadership): number {
  const { writes, timings } = server;
  const { transfer, followers } = leadership;
  let dueMs = writes.waitingSinceMs === undefined ? Infinity : writes.waitingSinceMs + timings.electionMs;
  if (transfer !== null) dueMs = Math.min(dueMs, transferDueMs(server, transfer));
  if (followers.size === 0) return dueMs;
  dueMs = Math.min(dueMs, leadership.heartbeatAtMs, leadership.leaseEndsAtMs);
  dueMs = Math.min(dueMs, leadership.tellCommitAtMs, leadership.remindAtMs);
  for (const { pausedUntilMs, leavesAtMs } of followers.values())
    dueMs = Math.min(dueMs, leavesAtMs, pausedUntilMs ?? Infinity);
  return dueMs;
}
