import type { FollowerStatus, RaftStatus } from './contract.ts';
import type { Progress } from './progress.ts';
import type { RaftServer } from './server.ts';

export function statusOf(server: RaftServer): RaftStatus {
  const { log, configurations, leadership } = server;
  return {
    self: server.self.id,
    role: server.role,
    term: server.hardState.term,
    leader: server.leader,
    lastIndex: log.lastIndex,
    lastTerm: log.lastTerm,
    durableIndex: log.durableIndex,
    commitIndex: server.commitIndex,
    appliedIndex: server.appliedIndex,
    firstIndex: log.firstIndex,
    configuration: configurations.latest,
    committedConfiguration: configurations.committedOne,
    followers: [...(leadership?.followers.values() ?? [])]
      .filter(({ isLeaving }) => !isLeaving)
      .map((progress) => followerStatus(server, progress)),
  };
}

function followerStatus({ nowMs }: RaftServer, progress: Progress): FollowerStatus {
  const { server, state, match, next, heardAtMs } = progress;
  return {
    id: server.id,
    address: server.address,
    suffrage: server.suffrage,
    state,
    matchIndex: match,
    nextIndex: next,
    heardAgoMs: heardAtMs === null ? null : nowMs - heardAtMs,
  };
}
