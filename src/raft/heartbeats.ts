/**
 * Heartbeats, on a channel of their own so that they wait behind no entries: requests without anything, which a follower
 * answers whatever its disk does. Their shape is what hashicorp/raft takes the short way with (`replication.go`,
 * `heartbeat`): no entries at all, nothing before them, nothing committed.
 */
import type { Call } from './calls.ts';
import type { Progress } from './progress.ts';
import { spread, type Leadership, type RaftServer } from './server.ts';

/** Heartbeats to one follower that are not answered; with this many, more come only after a heartbeat timeout. */
const MAX_HEARTBEATS_IN_FLIGHT = 4;
/** For reads: a round of heartbeats waits for the one before the one before. */
const MAX_ROUNDS_IN_FLIGHT = 2;

export function sendHeartbeats(server: RaftServer, leadership: Leadership): void {
  const isDue = server.nowMs >= leadership.heartbeatAtMs;
  if (isDue) leadership.heartbeatAtMs = server.nowMs + spread(server, server.timings.heartbeatMs / 10);
  if (!isDue && leadership.reads.waiting.length === 0) return;
  for (const progress of leadership.followers.values())
    if (isDue ? mayBeat(server, progress) : isAskedForReads(leadership, progress)) beat(server, leadership, progress);
}

function beat(server: RaftServer, { reads }: Leadership, progress: Progress): void {
  progress.heartbeatsInFlight++;
  progress.heartbeatSentAtMs = server.nowMs;
  progress.sentRound = reads.round;
  const call: Call = { kind: 'heartbeat', to: progress, round: reads.round };
  server.calls.make(server.turn, 'now', progress.server, call, {
    kind: 'appendEntries',
    ...server.header,
    term: server.hardState.term,
    leader: server.self.address,
    prevIndex: 0,
    prevTerm: 0,
    entries: null,
    commitIndex: 0,
  });
}

function mayBeat({ nowMs, timings }: RaftServer, progress: Progress): boolean {
  const { heartbeatsInFlight, heartbeatSentAtMs } = progress;
  return heartbeatsInFlight < MAX_HEARTBEATS_IN_FLIGHT || nowMs - heartbeatSentAtMs >= timings.heartbeatMs;
}

function isAskedForReads({ reads }: Leadership, progress: Progress): boolean {
  return progress.isVoter && progress.sentRound < reads.round && progress.heartbeatsInFlight < MAX_ROUNDS_IN_FLIGHT;
}
