/** What a leader writes into the log, of its own or of others. */
import { refuse, type Refusal, type Refused } from '../base/result.ts';
import { sizeOf } from './log.ts';
import type { Proposal } from './contract.ts';
import { ENTRY_TYPES, type Entry, type EntryType } from './messages.ts';
import type { Leadership, RaftServer } from './server.ts';

/** Configurations are changed in another way. */
const PROPOSED: ReadonlySet<EntryType> = new Set([ENTRY_TYPES.command, ENTRY_TYPES.noop, ENTRY_TYPES.barrier]);

/** In one step, one write and one request to each follower: what was proposed together is committed together. */
export function propose(server: RaftServer, proposals: readonly Proposal[]): void {
  const { leadership, turn, hardState } = server;
  for (const { number, type, data } of proposals) {
    const refusal = leadership === null ? notLeader(server) : reasonToRefuse(server, leadership, type);
    if (leadership === null || refusal !== null) {
      turn.tell({ kind: 'refusedProposal', number, refusal: refusal ?? notLeader(server) });
      continue;
    }
    const entry = appendOwn(server, type, data);
    leadership.proposals.add(number, entry.index, sizeOf(entry));
    turn.tell({ kind: 'proposed', number, index: entry.index, term: hardState.term });
  }
}

export function appendOwn({ log, hardState, turn }: RaftServer, type: EntryType, data: Uint8Array | null): Entry {
  const index = log.lastIndex + 1;
  const entry: Entry = { index, term: hardState.term, type, data, extensions: null, appendedAt: undefined };
  log.append(entry);
  turn.persistEntry(entry);
  return entry;
}

export function notLeader({ leader, hardState, self }: RaftServer): Refusal {
  const who = leader === null ? 'none is known' : `${leader.id} does`;
  return refuse('not-leader', `${self.id} does not lead: ${who}`, {
    term: hardState.term,
    leader: leader?.id ?? null,
    address: leader?.address ?? null,
  }).refusal;
}

export function transferring(to: string): Refusal {
  return refuse('transferring', `leadership is being handed to ${to}`, { to }).refusal;
}

export function isEntryType(type: number): boolean {
  return type >= ENTRY_TYPES.command && type <= ENTRY_TYPES.configuration;
}

/** A Go node that meets such an entry panics, and again whenever it is started. */
export function refuseEntryType(type: number): Refused {
  return refuse('raft-entry-type', 'no version of hashicorp/raft writes entries of this type', { type });
}

function reasonToRefuse(
  { limits, timings }: RaftServer,
  { proposals, transfer }: Leadership,
  type: EntryType,
): Refusal | null {
  if (!PROPOSED.has(type)) return refuseEntryType(type).refusal;
  if (transfer !== null) return transferring(transfer.to);
  const { maxUncommittedBytes, maxUncommittedEntries } = limits;
  if (proposals.size < maxUncommittedEntries && proposals.bytes < maxUncommittedBytes) return null;
  return refuse('busy', 'too much is proposed and not committed yet', {
    limit: proposals.size < maxUncommittedEntries ? maxUncommittedBytes : maxUncommittedEntries,
    retryAfterMs: timings.commitMs,
  }).refusal;
}
