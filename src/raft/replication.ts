/**
 * A leader sends its log: to each follower what it lacks, as fast as its answers come (Raft, 5.3; dissertation, 10.2.1).
 *
 * `replicate` sends all that can be sent now. It is called once a step, so that whatever came together leaves together.
 */
import { assert } from '../base/assert.ts';
import type { Call } from './calls.ts';
import type { AppendEntriesResponse, InstallSnapshotResponse } from './messages.ts';
import type { Progress } from './progress.ts';
import { spread, tellCommitSoon, type Leadership, type RaftServer } from './server.ts';

type AppendCall = Extract<Call, { kind: 'append' }>;
type SnapshotCall = Extract<Call, { kind: 'snapshot' }>;

export function replicate(server: RaftServer, leadership: Leadership): void {
  const tellsCommit = server.nowMs >= leadership.tellCommitAtMs;
  if (tellsCommit) leadership.tellCommitAtMs = Infinity;
  if (server.nowMs >= leadership.remindAtMs) remindAll(server, leadership);
  for (const [id, progress] of leadership.followers) {
    sendTo(server, leadership, progress, tellsCommit);
    const isTooFarBehind = progress.isLeaving && progress.state === 'snapshot';
    if (isTooFarBehind || progress.knowsThatItLeft || server.nowMs >= progress.leavesAtMs)
      leadership.followers.delete(id);
  }
}

/**
 * A follower that was started anew does not know what is committed, and where its disk was changed not even the log; and
 * nothing tells a leader that it was away. So all are told again now and then, as if they had never been.
 */
function remindAll(server: RaftServer, leadership: Leadership): void {
  leadership.remindAtMs = server.nowMs + spread(server, server.timings.heartbeatMs);
  for (const progress of leadership.followers.values())
    if (progress.state === 'pipeline' && progress.inFlight === 0) sendEntries(server, leadership, progress);
}

/** @param tellsCommit whether a request without entries may tell the commit index */
function sendTo(server: RaftServer, leadership: Leadership, progress: Progress, tellsCommit: boolean): void {
  const { log, limits, commitIndex } = server;
  const last = progress.sendable(log.lastIndex, commitIndex);
  while (progress.state === 'pipeline' && progress.next <= last && progress.hasRoom(limits))
    sendEntries(server, leadership, progress);
  if (progress.state === 'pipeline') {
    if (tellsCommit && progress.sentCommit < commitIndex && progress.hasRoom(limits))
      sendEntries(server, leadership, progress);
  } else if (progress.inFlight === 0 && server.nowMs >= progress.retryAtMs) {
    if (progress.state === 'probe') sendEntries(server, leadership, progress);
    else sendSnapshot(server, progress);
  }
}

/** Entries from `next` on, or none where all are sent. */
function sendEntries(server: RaftServer, { reads }: Leadership, progress: Progress): void {
  const { log, limits, commitIndex, hardState, turn } = server;
  const prevIndex = progress.next - 1;
  const prevTerm = progress.next < log.firstIndex ? undefined : log.termAt(prevIndex);
  if (prevTerm === undefined) {
    progress.needsSnapshot();
    return sendSnapshot(server, progress);
  }
  const room = progress.sendable(log.lastIndex, commitIndex) - prevIndex;
  const { entries, bytes } = log.slice(progress.next, Math.min(limits.maxAppendEntries, room), limits.maxAppendBytes);
  const lastIndex = prevIndex + entries.length;
  progress.sent(lastIndex, bytes, Math.min(commitIndex, lastIndex));
  progress.sentRound = reads.round;
  const call: Call = {
    kind: 'append',
    to: progress,
    round: reads.round,
    epoch: progress.epoch,
    prevIndex,
    lastIndex,
    bytes,
  };
  server.calls.make(turn, 'now', progress.server, call, {
    kind: 'appendEntries',
    protocolVersion: server.header.protocolVersion,
    sender: server.header.sender,
    term: hardState.term,
    leader: server.self.address,
    prevIndex,
    prevTerm,
    entries,
    commitIndex,
  });
}

/** The shell sends the bytes of the snapshot that ends at this index, and knows how many they are. */
function sendSnapshot(server: RaftServer, progress: Progress): void {
  const { snapshot, log, self, header, hardState } = server;
  assert(snapshot !== null, 'entries are compacted only behind a snapshot', {
    firstIndex: log.firstIndex,
    next: progress.next,
  });
  progress.sent(snapshot.lastIndex, 0, 0);
  const call: Call = { kind: 'snapshot', to: progress, epoch: progress.epoch, lastIndex: snapshot.lastIndex };
  server.calls.make(server.turn, 'now', progress.server, call, {
    kind: 'installSnapshot',
    ...header,
    term: hardState.term,
    leader: self.address,
    lastIndex: snapshot.lastIndex,
    lastTerm: snapshot.lastTerm,
    configuration: snapshot.configuration.configuration,
    configurationIndex: snapshot.configuration.index,
    sizeBytes: 0,
  });
}

export function appendAnswered(
  server: RaftServer,
  leadership: Leadership,
  call: AppendCall,
  response: AppendEntriesResponse,
): void {
  const progress = call.to;
  const isCurrent = call.epoch === progress.epoch;
  if (isCurrent) progress.returned(call.bytes);
  if (response.success) {
    if (isCurrent) progress.matched(call.lastIndex);
    else progress.match = Math.max(progress.match, call.lastIndex);
    if (progress.sentCommit < server.commitIndex) tellCommitSoon(server, leadership);
    return;
  }
  if (!isCurrent) return;
  progress.mismatched(call.prevIndex, response.lastIndex);
  if (!response.noRetryBackoff) progress.pause(server.nowMs, server.timings.heartbeatMs);
}

export function snapshotAnswered(server: RaftServer, call: SnapshotCall, response: InstallSnapshotResponse): void {
  const progress = call.to;
  if (call.epoch !== progress.epoch) return;
  progress.returned(0);
  if (response.success) progress.matched(call.lastIndex);
  else progress.failed(server.nowMs, server.timings.heartbeatMs);
}

export function sendingFailed(server: RaftServer, { kind, to, epoch, lastIndex }: AppendCall | SnapshotCall): void {
  if (epoch !== to.epoch) return;
  to.failed(server.nowMs, server.timings.heartbeatMs);
  // A snapshot may have arrived and its answer not: whether it has, a request behind it asks in a few bytes.
  if (kind === 'snapshot') to.next = Math.max(to.next, lastIndex + 1);
}
