/** A server as its disk left it. */
import { assert } from '../base/assert.ts';
import { Random } from '../base/random.ts';
import { Calls } from './calls.ts';
import { Configurations } from './configuration.ts';
import type { RaftOptions, SnapshotMeta } from './contract.ts';
import { Log } from './log.ts';
import type { LoggedConfiguration } from './messages.ts';
import type { RaftServer } from './server.ts';
import { Turn } from './turn.ts';
import { Writes } from './writes.ts';

export function newServer(options: RaftOptions): RaftServer {
  const { self, protocolVersion, timings, limits, snapshot, appliedIndex } = options;
  const log = new Log(options.log, snapshot, limits.maxCachedBytes);
  assert(protocolVersion >= 3 || self.id === self.address, 'up to version 2 the id of a server is its address', {
    protocolVersion,
    id: self.id,
    address: self.address,
  });
  assert(appliedIndex >= (snapshot?.lastIndex ?? 0), 'what a snapshot holds is applied', { appliedIndex });
  assert(appliedIndex <= log.lastIndex, 'what is applied is in the log', { appliedIndex, lastIndex: log.lastIndex });
  assert(timings.leaseMs <= timings.heartbeatMs, 'a leader gives up before its followers elect another', {
    leaseMs: timings.leaseMs,
    heartbeatMs: timings.heartbeatMs,
  });
  return {
    self,
    header: { protocolVersion, sender: self },
    timings,
    limits,
    codec: options.codec,
    random: new Random(options.seed),
    log,
    writes: new Writes(),
    calls: new Calls(),
    configurations: new Configurations(knownConfigurations(options.configurations, snapshot), appliedIndex),
    nowMs: 0,
    hardState: options.hardState,
    role: 'follower',
    leader: null,
    heardLeaderAtMs: 0,
    patienceMs: 0,
    electionAtMs: Infinity,
    commitIndex: appliedIndex,
    appliedIndex,
    snapshot,
    candidacy: null,
    leadership: null,
    lastLedTerm: options.hardState.votedFor === self.address ? options.hardState.term : 0,
    restoring: null,
    foreign: null,
    turn: new Turn(),
  };
}

/** The snapshot's comes first, before those that were put into the log after it. */
function knownConfigurations(
  logged: readonly LoggedConfiguration[],
  snapshot: SnapshotMeta | null,
): readonly LoggedConfiguration[] {
  if (snapshot === null) return logged;
  const { configuration } = snapshot;
  return [configuration, ...logged.filter(({ index }) => index > configuration.index)];
}
