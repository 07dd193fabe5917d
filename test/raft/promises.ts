/**
 * Law 1 of the engine's contract, for each message that says more than "no": the disk of who sends it holds what the
 * message promises, at the moment it leaves.
 */
import { assert } from '../../src/base/assert.ts';
import type { RaftRequest, RaftResponse } from '../../src/raft/messages.ts';
import type { RaftDisk } from './disk.ts';
import { addressOf } from './words.ts';

/** What a server sends, or what it answers. */
export interface Promised {
  readonly server: number;
  readonly request: RaftRequest;
}

/** @param response null for a request that goes out */
export function assertKept(disk: RaftDisk, promised: Promised, response: RaftResponse | null): void {
  if (response === null) assertRequestKept(disk, promised);
  else assertResponseKept(disk, promised, response);
}

function assertRequestKept({ hardState }: RaftDisk, { server, request }: Promised): void {
  const { term, votedFor } = hardState;
  switch (request.kind) {
    case 'requestVote': {
      const isOwn = term === request.term && votedFor === addressOf(server);
      assert(isOwn, 'a candidate asks when its own vote is durable', { server, asks: request.term, term, votedFor });
      break;
    }
    case 'appendEntries':
    case 'installSnapshot':
      assert(term >= request.term, 'a leader speaks when its term is durable', { server, says: request.term, term });
      break;
    default:
  }
}

function assertResponseKept(disk: RaftDisk, { server, request }: Promised, response: RaftResponse): void {
  const { term, votedFor } = disk.hardState;
  const numbers = { server, kind: request.kind, term, votedFor };
  if (response.kind !== 'timeoutNow' && response.kind !== 'preVote') {
    // Raft, figure 2: persistent state is "updated on stable storage before responding". A pre-vote names the term asked for.
    assert(response.term <= term, 'a term is told when it is durable', { ...numbers, says: response.term });
  }
  if (request.kind === 'requestVote' && response.kind === 'requestVote' && response.granted) {
    const isKept = term > request.term || (term === request.term && votedFor === request.candidate);
    assert(isKept, 'a vote is given when it is durable', { ...numbers, granted: request.term });
  }
  if (request.kind === 'appendEntries' && response.kind === 'appendEntries' && response.success) {
    assert(term >= request.term, 'a leader is followed when its term is durable', { ...numbers, says: request.term });
    for (const entry of request.entries ?? []) {
      const held = disk.termAt(entry.index);
      const isKept = held === entry.term || entry.index < disk.firstIndex || term > request.term;
      assert(isKept, 'entries are acknowledged when they are durable', { ...numbers, index: entry.index, held });
    }
  }
  if (request.kind === 'installSnapshot' && response.kind === 'installSnapshot' && response.success) {
    const reaches = Math.max(disk.snapshot?.meta.lastIndex ?? 0, disk.lastIndex);
    assert(reaches >= request.lastIndex, 'a snapshot is acknowledged when it is durable', { ...numbers, reaches });
  }
}
