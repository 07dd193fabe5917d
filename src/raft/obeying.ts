/** Before a server obeys who says that he leads it: is he anybody, is his term not over, is his cluster this one? */
import { refuse, type Refusal } from '../base/result.ts';
import { serverOf } from './configuration.ts';
import type { AppendEntriesRequest, InstallSnapshotRequest, ServerAddress, ServerId } from './messages.ts';
import { isStranger, leadsAnotherCluster, strangerRefusal } from './membership.ts';
import { isTerm, type RaftServer } from './server.ts';
import { follow, newerTerm, stepDown } from './stepping-down.ts';

export interface Asker {
  readonly ask: number;
  readonly from: ServerId;
  readonly isListed: boolean;
}

/**
 * Takes the sender as the leader of its term.
 *
 * @returns whether it is; otherwise nothing of the request may be done, and the answer shows this server's own term
 */
export function obey(
  server: RaftServer,
  { from, isListed }: Asker,
  request: AppendEntriesRequest | InstallSnapshotRequest,
): boolean {
  const { term } = request;
  const refusal = reasonToRefuse(server, from, isListed, term);
  if (refusal !== null) {
    server.turn.refuse(from, refusal);
    return false;
  }
  if (!isTerm(term) || term < server.hardState.term) return false;
  if (term > server.hardState.term || server.role !== 'follower')
    stepDown(server, term, newerTerm(term, server.hardState.term));
  follow(server, { id: from, address: addressOf(server, from, request) });
  return true;
}

/** As the request says; the field is called deprecated, and a later version may leave it out. */
function addressOf(
  { configurations }: RaftServer,
  from: ServerId,
  { leader, sender }: AppendEntriesRequest | InstallSnapshotRequest,
): ServerAddress {
  if (leader !== '') return leader;
  return sender.address ?? serverOf(configurations.latest.configuration, from)?.address ?? from;
}

/** A committed entry of this server is another one there: these are two histories, and they are never merged. */
export function noteForeignHistory(server: RaftServer, index: number, theirTerm: number, leader: ServerId): void {
  const ownTerm = server.log.termAt(index) ?? 0;
  server.foreign = refuse(
    'raft-conflict-below-commit',
    `entry ${index} is committed here in term ${ownTerm}, and ${leader} has it in term ${theirTerm}: two histories`,
    { index, ownTerm, theirTerm, leader },
  ).refusal;
  server.turn.refuse(leader, server.foreign);
}

/** What contradicts a committed entry stays: a leader of this history may have lost what was committed. */
export function otherHistory(server: RaftServer, refusal: Refusal | null): void {
  if (server.foreign?.code !== 'raft-conflict-below-commit') server.foreign = refusal;
}

function reasonToRefuse(server: RaftServer, from: ServerId, isListed: boolean, term: number): Refusal | null {
  if (isStranger(server, from, isListed)) return strangerRefusal(from, term);
  if (leadsAnotherCluster(server, from)) {
    const { self, log } = server;
    return refuse('raft-foreign-history', `${from} leads another cluster: ${self.id} is the only voter of its own`, {
      from,
      term,
      ownLastIndex: log.lastIndex,
      ownLastTerm: log.lastTerm,
    }).refusal;
  }
  if (server.foreign !== null) return server.foreign;
  if (term === server.hardState.term && server.role === 'leader')
    return refuse('raft-two-leaders', `${from} says that it leads term ${term}, which this server leads`, {
      from,
      term,
    }).refusal;
  return null;
}
