/**
 * Rules of the Raft engine, and of what drives it, that are broken on purpose, one at a time, as those of
 * `broken-rules.ts`: the simulator of a Raft cluster must find each.
 */
import type { BrokenRule } from './broken-rules.ts';

/** Of each seed. */
const ENTRIES = 150;

const THREE = { network: ['raft', 3, ENTRIES], seeds: 40 } as const;

export const brokenRaftRules: readonly BrokenRule[] = [
  {
    ...THREE,
    rule: 'a leader has the votes of a majority',
    file: 'src/raft/election.ts',
    find: 'if (granted < majorityOf(voters.length)) return;',
    replace: 'if (granted < 1) return;',
  },
  {
    ...THREE,
    rule: 'one vote a term',
    file: 'src/raft/voting.ts',
    find: 'if (votedFor !== null) return votedFor === candidate;',
    replace: '',
  },
  {
    ...THREE,
    rule: 'a vote goes to a log that is as up to date',
    file: 'src/raft/voting.ts',
    find: 'if (!isUpToDate(server, request)) return false;',
    replace: '',
  },
  {
    ...THREE,
    rule: 'a vote is on the disk before it leaves',
    file: 'src/raft/voting.ts',
    find: "server.turn.answer(asker.ask, whenTermIsDurable(server), {\n    kind: 'requestVote',",
    replace: "server.turn.answer(asker.ask, 'now', {\n    kind: 'requestVote',",
  },
  {
    // One votes, the other one does not: nobody else's vote tells that its own is on the disk.
    network: ['raft', 2, ENTRIES],
    seeds: 40,
    rule: 'a server’s own vote counts once it is on the disk',
    file: 'src/raft/election.ts',
    find: 'return id !== self.id || writes.isDurable(candidacy.ownVote);',
    replace: 'return id !== self.id || writes !== undefined;',
  },
  {
    ...THREE,
    rule: 'a restart remembers its vote',
    file: 'src/raft/new-server.ts',
    find: '    hardState: options.hardState,',
    replace: '    hardState: { ...options.hardState, votedFor: null },',
  },
  {
    ...THREE,
    rule: 'an append is on the disk before it is acknowledged',
    file: 'src/raft/following.ts',
    find: "success && !isHeartbeat ? 'durable' : whenTermIsDurable(server)",
    replace: 'whenTermIsDurable(server)',
  },
  {
    ...THREE,
    rule: 'the batch of a turn is synced',
    file: 'src/node/loop.ts',
    find: 'this.#disk.add({ operations, sync: operations.length > 0 }',
    replace: 'this.#disk.add({ operations, sync: false }',
  },
  {
    ...THREE,
    rule: 'what waits for the disk waits for it',
    file: 'src/node/raft/raft-turn.ts',
    find: "(effect.kind === 'call' || effect.kind === 'answer') && effect.when === 'durable'",
    replace: "effect.kind === 'call' && effect.when === 'durable'",
  },
  {
    ...THREE,
    rule: 'entries follow an entry that both logs hold',
    file: 'src/raft/following.ts',
    find: "if (ownTerm !== 'committed' && ownTerm !== prevTerm) {",
    replace: "if (ownTerm !== 'committed' && ownTerm === undefined) {",
  },
  {
    ...THREE,
    rule: 'a log that differs is cut',
    file: 'src/raft/following.ts',
    find: "if (ownTerm === 'committed' || ownTerm === entry.term) continue;",
    replace: 'if (ownTerm !== undefined) continue;',
  },
  {
    ...THREE,
    rule: 'a follower commits what it knows to be the leader’s',
    file: 'src/raft/following.ts',
    find: 'commitUpTo(server, Math.min(request.commitIndex, prevIndex + entries.length));',
    replace: 'commitUpTo(server, Math.min(request.commitIndex, log.lastIndex));',
  },
  {
    ...THREE,
    rule: 'a leader counts entries of its own term (figure 8)',
    file: 'src/raft/committing.ts',
    find: 'if (index >= leadership.firstIndex) commitUpTo(server, index);',
    replace: 'commitUpTo(server, index);',
  },
  {
    ...THREE,
    rule: 'a leader counts its own entries once they are on its disk',
    file: 'src/raft/committing.ts',
    find: 'quorumReaches(server, leadership, log.durableIndex, matchOf)',
    replace: 'quorumReaches(server, leadership, log.lastIndex, matchOf)',
  },
  {
    ...THREE,
    rule: 'only voters are counted',
    file: 'src/raft/committing.ts',
    find: 'if (progress.isVoter) insert(descending, of(progress));',
    replace: 'insert(descending, of(progress));',
  },
  {
    ...THREE,
    rule: 'a change waits for the configuration before it',
    file: 'src/raft/membership-change.ts',
    find: 'if (commitIndex < firstIndex || !isLatestCommitted)',
    replace: 'if (commitIndex < firstIndex)',
  },
  {
    ...THREE,
    rule: 'a change waits for a commit of its leader’s term',
    file: 'src/raft/membership-change.ts',
    find: 'if (commitIndex < firstIndex || !isLatestCommitted)',
    replace: 'if (!isLatestCommitted)',
  },
  {
    ...THREE,
    rule: 'the configuration before is in force again when the log is cut',
    file: 'src/raft/following.ts',
    find: 'rollBackConfigurations(server, entry.index);',
    replace: '',
  },
  {
    ...THREE,
    // A leader that leads no more must be read from before it knows.
    seeds: 450,
    rule: 'a read waits until a majority has said that its leader leads',
    file: 'src/raft/reading.ts',
    find: 'if (round > confirmed) break;',
    replace: 'if (round > confirmed + 1_000_000) break;',
  },
  {
    ...THREE,
    rule: 'an outcome that nobody knows is told as one',
    file: 'src/raft/lease.ts',
    find: "const why = refuse('leadership-lost', 'no majority",
    replace: "const why = refuse('not-leader', 'no majority",
  },
  {
    ...THREE,
    rule: 'what is proposed and not committed is bounded',
    file: 'src/raft/proposing.ts',
    find: 'if (proposals.size < maxUncommittedEntries && proposals.bytes < maxUncommittedBytes) return null;',
    replace: 'if (proposals.bytes < maxUncommittedBytes) return null;',
  },
  {
    ...THREE,
    rule: 'what is sent and not answered is bounded',
    file: 'src/raft/progress.ts',
    find: 'return this.inFlight < maxInFlight && ',
    replace: 'return this.inFlight < maxInFlight + 1 && ',
  },
  {
    ...THREE,
    rule: 'a leader whose disk stands still gives up',
    file: 'src/raft/lease.ts',
    find: 'if (isDiskStalled(server)) {',
    replace: 'if (isDiskStalled(server) && leadership.sinceMs < 0) {',
  },
  {
    ...THREE,
    rule: 'a leader that hears nobody gives up',
    file: 'src/raft/lease.ts',
    find: 'leadership.leaseEndsAtMs = quorumReaches(server, leadership, Infinity, lastSignOf) + timings.leaseMs;',
    replace: 'leadership.leaseEndsAtMs = nowMs + timings.leaseMs;',
  },
  {
    ...THREE,
    rule: 'who closes on a pre-vote grants it',
    file: 'src/raft/election.ts',
    find: "if (call.kind !== 'preVote' || failure !== 'closed') return;",
    replace: "if (call.kind !== 'preVote' || failure !== 'closed' || server.nowMs >= 0) return;",
  },
  {
    ...THREE,
    rule: 'a snapshot takes the place of a log that contradicts it',
    file: 'src/raft/snapshots.ts',
    find: 'log.reset(snapshot);',
    replace: '',
  },
  {
    ...THREE,
    rule: 'the snapshot of a leader is the state once it is on the disk',
    file: 'src/node/raft/snapshotting.ts',
    find: 'applier.restored({ index: stored.lastIndex, term: stored.lastTerm }, stored.configuration);',
    replace: '',
  },
  {
    ...THREE,
    rule: 'what is applied is written with its index',
    file: 'src/node/raft/applier.ts',
    find: 'write({ operations: [...operations, appliedOp(this.#applied)], sync: false }, written);',
    replace: 'write({ operations, sync: false }, written);',
  },
  {
    ...THREE,
    rule: 'a proposal is acknowledged when it is applied',
    file: 'src/node/raft/proposals.ts',
    find: 'waiting.index = index;',
    replace: 'waiting.index = index;\n    this.#settle(waiting, { ok: true, value: { index, outcome: null as O } });',
  },
];
