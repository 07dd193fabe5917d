/**
 * A follower takes what its leader sends (Raft, figure 2, "AppendEntries RPC"; hashicorp/raft `appendEntries`).
 *
 * The answer `success` says that the log is the leader's up to the last entry of the request, and that it is on the disk.
 */
import { ok, refuse, type Result } from '../base/result.ts';
import { adoptConfiguration, rollBackConfigurations } from './configuring.ts';
import { commitUpTo } from './committing.ts';
import {
  ENTRY_TYPES,
  type AppendEntriesRequest,
  type AppendEntriesResponse,
  type Entry,
  type LoggedConfiguration,
} from './messages.ts';
import { noteForeignHistory, obey, type Asker } from './obeying.ts';
import { isEntryType, refuseEntryType } from './proposing.ts';
import { whenTermIsDurable, type RaftServer } from './server.ts';

type Position = Pick<Entry, 'index' | 'term'>;

/** How far back one answer looks for the beginning of a term. */
const MAX_TERM_WALK = 1024;

export function receiveAppendEntries(server: RaftServer, asker: Asker, request: AppendEntriesRequest): void {
  const { turn, log } = server;
  const lastIndex = log.lastIndex;
  const isHeartbeat = request.entries === null && request.prevIndex === 0;
  const answer = (success: boolean, hint = lastIndex, noRetryBackoff = false): void => {
    const { term } = server.hardState;
    const response: AppendEntriesResponse = { kind: 'appendEntries', term, lastIndex: hint, success, noRetryBackoff };
    turn.answer(asker.ask, success && !isHeartbeat ? 'durable' : whenTermIsDurable(server), response);
  };
  if (!obey(server, asker, request)) return answer(false);
  if (isHeartbeat) return answer(true);
  const entries = request.entries ?? [];
  if (!canTake(server, entries)) return answer(false);
  const configurations = checkEntries(server, request, entries);
  if (!configurations.ok) {
    turn.refuse(asker.from, configurations.refusal);
    return answer(false);
  }
  const { prevIndex, prevTerm } = request;
  const ownTerm = termToCompare(server, prevIndex);
  if (ownTerm !== 'committed' && ownTerm !== prevTerm) {
    if (ownTerm === undefined || prevIndex > server.commitIndex)
      return answer(false, hintFor(server, prevIndex, ownTerm), true);
    noteForeignHistory(server, prevIndex, prevTerm, asker.from);
    return answer(false);
  }
  if (!takeEntries(server, entries, asker)) return answer(false);
  for (const configuration of configurations.value)
    if (configuration.index > server.configurations.latest.index) adoptConfiguration(server, configuration);
  commitUpTo(server, Math.min(request.commitIndex, prevIndex + entries.length));
  answer(true);
}

/** While the log is being replaced nothing is put into it; and what waits for a slow disk is bounded. */
function canTake({ restoring, log, limits }: RaftServer, entries: readonly Entry[]): boolean {
  return restoring === null && (entries.length === 0 || log.unstableBytes < limits.maxUncommittedBytes);
}

/** @returns the configurations among the entries */
function checkEntries(
  { codec }: RaftServer,
  { term, prevIndex, prevTerm }: AppendEntriesRequest,
  entries: readonly Entry[],
): Result<readonly LoggedConfiguration[]> {
  const configurations: LoggedConfiguration[] = [];
  let before = { index: prevIndex, term: prevTerm };
  if ((prevIndex === 0) !== (prevTerm === 0) || prevTerm > term) return malformed(before, { index: 0, term: 0 }, term);
  for (const entry of entries) {
    if (entry.index !== before.index + 1 || entry.term < before.term || entry.term > term)
      return malformed(entry, before, term);
    if (!isEntryType(entry.type)) return refuseEntryType(entry.type);
    before = entry;
    if (!isConfiguration(entry)) continue;
    const configuration = codec.decode(entry);
    if (!configuration.ok) return configuration;
    configurations.push({ index: entry.index, configuration: configuration.value });
  }
  return ok(configurations);
}

function malformed(entry: Position, before: Position, term: number): Result<never> {
  return refuse(
    'raft-request-malformed',
    'entries follow one another, and their terms never fall or pass the leader’s',
    {
      index: entry.index,
      entryTerm: entry.term,
      before: before.index,
      beforeTerm: before.term,
      term,
    },
  );
}

function isConfiguration({ type }: Entry): boolean {
  return type === ENTRY_TYPES.configuration || type === ENTRY_TYPES.addPeer || type === ENTRY_TYPES.removePeer;
}

/** What is compacted was committed, so every leader has it as it was. */
function termToCompare({ log, commitIndex }: RaftServer, index: number): number | 'committed' | undefined {
  const term = log.termAt(index);
  return term === undefined && index <= commitIndex ? 'committed' : term;
}

/**
 * Where a leader may go on: behind the log; or, where the entry is of another term, before the first one of that term,
 * so that a leader steps back a term at a time and not an entry at a time (Raft, 5.3).
 */
function hintFor({ log, commitIndex }: RaftServer, prevIndex: number, ownTerm: number | undefined): number {
  if (ownTerm === undefined) return log.lastIndex;
  let index = prevIndex - 1;
  const end = Math.max(commitIndex, prevIndex - MAX_TERM_WALK);
  while (index > end && log.termAt(index) === ownTerm) index--;
  return index;
}

/** @returns whether they are in the log now; otherwise they contradict what is committed, and nothing is changed */
function takeEntries(server: RaftServer, entries: readonly Entry[], { from }: Asker): boolean {
  const { log, turn, writes } = server;
  for (const entry of entries) {
    if (entry.index <= log.lastIndex) {
      const ownTerm = termToCompare(server, entry.index);
      if (ownTerm === 'committed' || ownTerm === entry.term) continue;
      if (entry.index <= server.commitIndex) {
        noteForeignHistory(server, entry.index, entry.term, from);
        return false;
      }
      log.truncateFrom(entry.index);
      writes.cutFrom(entry.index);
      turn.persistCut(entry.index);
      rollBackConfigurations(server, entry.index);
    }
    log.append(entry);
    turn.persistEntry(entry);
  }
  return true;
}
