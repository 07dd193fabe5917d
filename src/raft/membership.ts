/** Whose word counts. Who sent a message is not said by the message: `sender.ts` finds it out. */
import { refuse, type Refusal } from '../base/result.ts';
import { votersOf } from './configuration.ts';
import type { ServerId } from './messages.ts';
import type { RaftServer } from './server.ts';

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

/** By its own log: nobody else is asked for a vote, or has one. */
export function isOnlyVoter({ configurations, self }: RaftServer): boolean {
  const voters = votersOf(configurations.latest.configuration);
  return voters.length === 1 && voters[0]?.id === self.id;
}

/**
 * A server that is the only voter, by its own log, can have no leader but itself: whoever else claims to lead leads
 * another cluster. That is how a server looks that was given a cluster of its own before it was to join.
 */
export function leadsAnotherCluster(server: RaftServer, from: ServerId): boolean {
  return server.log.lastIndex > 0 && isOnlyVoter(server) && !server.configurations.knows(from);
}
