/** Which requests are understood at all (hashicorp/raft, `raft.go`, `checkRPCHeader`; `net_transport.go`, heartbeats). */
import type { RaftRequest } from '../messages.ts';

const MAX_PROTOCOL_VERSION = 3;

/** In Go's words: what a peer of another version shows its operator. */
export const UNSUPPORTED_PROTOCOL = 'operation not supported with current protocol version';

/** A heartbeat is told by its shape and goes past all queues: it says only that the leader is there. */
export function isHeartbeat(request: RaftRequest): boolean {
  return (
    request.kind === 'appendEntries' &&
    request.term !== 0 &&
    (request.sender.address !== null || request.leader !== '') &&
    request.prevIndex === 0 &&
    request.prevTerm === 0 &&
    request.commitIndex === 0 &&
    (request.entries === null || request.entries.length === 0)
  );
}

/** Whether a server of this version takes the request. Go does not look at the version of a heartbeat. */
export function speaksProtocol(request: RaftRequest, ownVersion: 2 | 3): boolean {
  const { protocolVersion } = request;
  return isHeartbeat(request) || (protocolVersion >= ownVersion - 1 && protocolVersion <= MAX_PROTOCOL_VERSION);
}
