/**
 * Whose word counts. A message is believed for who sent it, never for what it says of its sender: the connection knows a
 * peer's key, or, where connections have no keys, the configuration knows whose address it is.
 */
import { refuse, type Refusal } from '../base/result.ts';
import { serverAt, votersOf } from './configuration.ts';
import type { Configuration, RaftRequest, ServerId } from './messages.ts';
import type { RaftServer } from './server.ts';

/**
 * Who asks, over a connection without keys: the id that the message claims; for versions before 1.3.7, which claim none,
 * the server of the address that it claims; for an address that nobody has, the address.
 */
export function askerOf(configuration: Configuration, request: RaftRequest): ServerId {
  const { id, address } = request.sender;
  if (id !== null && id !== '') return id;
  const claimed = address !== null && address !== '' ? address : addressIn(request);
  return serverAt(configuration, claimed)?.id ?? claimed;
}

function addressIn(request: RaftRequest): string {
  switch (request.kind) {
    case 'appendEntries':
    case 'installSnapshot':
      return request.leader;
    case 'requestVote':
      return request.candidate;
    default:
      return '';
  }
}

/**
 * Nobody that this server has to do with: of such a sender nothing is believed, its term least of all. A leader that has
 * removed itself leads until that is committed, so whom this server follows is no stranger.
 */
export function isStranger({ configurations, leader }: RaftServer, from: ServerId, isListed: boolean): boolean {
  return !isListed && leader?.id !== from && !configurations.knows(from);
}

export function strangerRefusal(from: ServerId, term: number): Refusal {
  return refuse('raft-stranger', `${from} is neither in the configuration nor in the list of the cluster`, {
    from,
    term,
  }).refusal;
}

/**
 * A server that is the only voter, by its own log, can have no leader but itself: whoever else claims to lead leads
 * another cluster. That is how a server looks that was given a cluster of its own before it was to join.
 */
export function leadsAnotherCluster({ configurations, self, log }: RaftServer, from: ServerId): boolean {
  const voters = votersOf(configurations.latest.configuration);
  const isAlone = log.lastIndex > 0 && voters.length === 1 && voters[0]?.id === self.id;
  return isAlone && !configurations.knows(from);
}
