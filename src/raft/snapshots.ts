/**
 * Snapshots: of one's own state, behind which the log may be cut, and of a leader's, which takes the place of everything
 * (Raft, section 7; hashicorp/raft `installSnapshot`, `compactLogs`).
 */
import { assert } from '../base/assert.ts';
import { refuse, type Refusal } from '../base/result.ts';
import { checkConfiguration } from './configuration.ts';
import { commitUpTo } from './committing.ts';
import { configurationChanged } from './configuring.ts';
import type { SnapshotMeta } from './contract.ts';
import type { InstallSnapshotRequest, ServerId } from './messages.ts';
import { noteForeignHistory, obey, type Asker } from './obeying.ts';
import { whenTermIsDurable, type RaftServer } from './server.ts';
import { waitForLeader } from './stepping-down.ts';

/** Entries stay behind a snapshot for followers that are a little behind. */
export function snapshotTaken(server: RaftServer, snapshot: SnapshotMeta): void {
  const { log, limits, commitIndex } = server;
  assert(snapshot.lastIndex <= commitIndex, 'a snapshot holds what is committed', {
    lastIndex: snapshot.lastIndex,
    commitIndex,
  });
  if (server.snapshot !== null && snapshot.lastIndex <= server.snapshot.lastIndex) return;
  server.snapshot = snapshot;
  const upTo = Math.min(snapshot.lastIndex, log.lastIndex - limits.trailingEntries, log.durableIndex);
  if (upTo < log.firstIndex) return;
  log.compact(upTo);
  server.turn.tell({ kind: 'compact', upTo });
}

export function receiveInstallSnapshot(server: RaftServer, asker: Asker, request: InstallSnapshotRequest): void {
  const { log, turn } = server;
  if (!obey(server, asker, request)) return answer(server, asker.ask, false);
  const malformed = problemOf(request);
  if (malformed !== null) {
    turn.refuse(asker.from, malformed);
    return answer(server, asker.ask, false);
  }
  const { lastIndex, lastTerm } = request;
  const ownTerm = log.termAt(lastIndex);
  if (lastIndex <= server.commitIndex && ownTerm !== undefined && ownTerm !== lastTerm) {
    noteForeignHistory(server, lastIndex, lastTerm, asker.from);
    return answer(server, asker.ask, false);
  }
  // One at a time: the other one asks again.
  if (server.restoring !== null) return answer(server, asker.ask, false);
  if ((lastIndex <= server.commitIndex || ownTerm === lastTerm) && !replacesEqual(server, asker.from, lastIndex)) {
    // The log holds the whole of it, and what follows stays (Raft, figure 13, rule 6).
    commitUpTo(server, lastIndex);
    return answer(server, asker.ask, true);
  }
  // All that the log holds goes, an entry of another term at the snapshot's last index too: were it kept, the leader would
  // find it there, and send the snapshot again, for ever (hashicorp/raft issue 697).
  const { configuration, configurationIndex } = request;
  const snapshot: SnapshotMeta = { lastIndex, lastTerm, configuration: { index: configurationIndex, configuration } };
  server.restoring = { ask: asker.ask, snapshot };
  turn.tell({ kind: 'restore', ask: asker.ask, snapshot });
}

/**
 * Of a leader that the configuration does not know, and whose snapshot ends where this log ends, nothing shows that its log
 * came to this in the same way. Taken as a whole the snapshot costs this server nothing that it lacks afterwards, and two
 * logs that are not one cannot be merged by what follows.
 */
function replacesEqual({ configurations, log }: RaftServer, from: ServerId, lastIndex: number): boolean {
  return lastIndex === log.lastIndex && !configurations.knows(from);
}

/** The snapshot is the state, and the log is empty. */
export function restored(server: RaftServer, snapshot: SnapshotMeta): void {
  const { restoring, log, writes, configurations } = server;
  assert(restoring !== null && restoring.snapshot.lastIndex === snapshot.lastIndex, 'what was restored was asked for', {
    lastIndex: snapshot.lastIndex,
    asked: restoring?.snapshot.lastIndex ?? null,
  });
  server.restoring = null;
  server.snapshot = snapshot;
  log.reset(snapshot);
  writes.cutFrom(0);
  configurations.replace(snapshot.configuration, snapshot.lastIndex);
  configurationChanged(server);
  server.commitIndex = snapshot.lastIndex;
  server.appliedIndex = snapshot.lastIndex;
  waitForLeader(server);
  answer(server, restoring.ask, true);
}

export function restoreFailed(server: RaftServer, ask: number, refusal: Refusal): void {
  assert(server.restoring?.ask === ask, 'what failed was under way', { ask });
  server.restoring = null;
  server.turn.refuse(server.leader?.id ?? null, refusal);
  answer(server, ask, false);
}

function problemOf({ term, lastIndex, lastTerm, configuration, configurationIndex }: InstallSnapshotRequest) {
  const problem = checkConfiguration(configuration);
  if (!problem.ok) return problem.refusal;
  if (configurationIndex <= lastIndex && lastTerm <= term) return null;
  return refuse(
    'raft-request-malformed',
    'a snapshot ends in its leader’s term or before, with its configuration in it',
    {
      lastIndex,
      lastTerm,
      configurationIndex,
      term,
    },
  ).refusal;
}

/** @param success promises the state on the disk, so it waits for what is on its way there */
function answer(server: RaftServer, ask: number, success: boolean): void {
  const { term } = server.hardState;
  const when = success ? 'durable' : whenTermIsDurable(server);
  server.turn.answer(ask, when, { kind: 'installSnapshot', term, success });
}
