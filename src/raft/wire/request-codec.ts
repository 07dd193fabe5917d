/** Requests: one byte that says which, the struct in MessagePack, and behind InstallSnapshot the bytes of the snapshot. */
import { ok, refuse, type Result } from '../../base/result.ts';
import type { Claim, Configuration, InstallSnapshotRequest, RaftRequest } from '../messages.ts';
import {
  configurationOfPeers,
  decodeConfiguration,
  decodePeers,
  decodeWith,
  encodeConfiguration,
  encodePeers,
  peersOfConfiguration,
} from './configuration-codec.ts';
import type { Dialect } from './dialect.ts';
import { DEFAULT_WIRE_LIMITS, type WireLimits } from './limits.ts';
import { WireWriter } from './msgpack-writer.ts';
import { readStruct, REQUESTS, structBytes, writeStruct, type Fields } from './structs.ts';

export type RequestKind = RaftRequest['kind'];

/** By the byte before a request. From 0x40 on there is room for requests of this program's own; Go closes on them. */
const KINDS: readonly RequestKind[] = ['appendEntries', 'requestVote', 'installSnapshot', 'timeoutNow', 'preVote'];

/** 0 is before the configuration was part of it, 1 since. */
const MAX_SNAPSHOT_VERSION = 1;

/** @returns undefined for a byte that no request begins with */
export function requestKindOf(type: number): RequestKind | undefined {
  return KINDS[type];
}

/** The whole request, the bytes of a snapshot apart. */
export function encodeRequest(request: RaftRequest, dialect: Dialect): Uint8Array {
  const fields = fieldsOf(request);
  const to = new WireWriter(structBytes(fields));
  to.byte(KINDS.indexOf(request.kind));
  writeStruct(to, REQUESTS[request.kind], fields, dialect);
  return to.finish();
}

/**
 * What follows the first byte of a request. Bytes in the value are views of those given.
 *
 * Refusals: `undecodable`, `raft-number-range`, `raft-entry-type`, `raft-limit-exceeded`, `too-large`; and
 * `raft-snapshot-version` with `sizeBytes`, so many of which follow regardless.
 */
export function decodeRequest(
  kind: RequestKind,
  bytes: Uint8Array,
  limits: WireLimits = DEFAULT_WIRE_LIMITS,
): Result<RaftRequest> {
  const fields = decodeWith(bytes, limits, (from) => readStruct(from, REQUESTS[kind]));
  if (!fields.ok) return fields;
  return kind === 'installSnapshot' ? snapshotOf(fields.value, limits) : ok(requestOf(kind, fields.value));
}

function fieldsOf(request: RaftRequest): Partial<Fields> {
  const { id, address } = request.sender;
  const header = { Addr: address, ID: id, ProtocolVersion: request.protocolVersion };
  switch (request.kind) {
    case 'appendEntries':
      return {
        ...header,
        Term: request.term,
        Leader: request.leader,
        PrevLogEntry: request.prevIndex,
        PrevLogTerm: request.prevTerm,
        Entries: request.entries,
        LeaderCommitIndex: request.commitIndex,
      };
    case 'requestVote':
      return {
        ...header,
        Term: request.term,
        Candidate: request.candidate,
        LastLogIndex: request.lastIndex,
        LastLogTerm: request.lastTerm,
        LeadershipTransfer: request.isTransfer,
      };
    case 'preVote':
      return { ...header, Term: request.term, LastLogIndex: request.lastIndex, LastLogTerm: request.lastTerm };
    case 'timeoutNow':
      return header;
    case 'installSnapshot':
      return { ...header, ...snapshotFieldsOf(request) };
  }
}

function snapshotFieldsOf(request: InstallSnapshotRequest): Partial<Fields> {
  return {
    Term: request.term,
    Leader: request.leader,
    LastLogIndex: request.lastIndex,
    LastLogTerm: request.lastTerm,
    Configuration: encodeConfiguration(request.configuration),
    ConfigurationIndex: request.configurationIndex,
    Peers: encodePeers(peersOfConfiguration(request.configuration)),
    Size: request.sizeBytes,
    SnapshotVersion: MAX_SNAPSHOT_VERSION,
  };
}

function requestOf(kind: Exclude<RequestKind, 'installSnapshot'>, fields: Fields): RaftRequest {
  const header = headerOf(fields);
  const term = fields.Term;
  switch (kind) {
    case 'appendEntries':
      return {
        ...{ kind, ...header, term, leader: fields.Leader ?? '', prevIndex: fields.PrevLogEntry },
        ...{ prevTerm: fields.PrevLogTerm, entries: fields.Entries, commitIndex: fields.LeaderCommitIndex },
      };
    case 'requestVote':
      return {
        ...{ kind, ...header, term, candidate: fields.Candidate ?? '', lastIndex: fields.LastLogIndex },
        ...{ lastTerm: fields.LastLogTerm, isTransfer: fields.LeadershipTransfer },
      };
    case 'preVote':
      return { kind, ...header, term, lastIndex: fields.LastLogIndex, lastTerm: fields.LastLogTerm };
    case 'timeoutNow':
      return { kind, ...header };
  }
}

function snapshotOf(fields: Fields, limits: WireLimits): Result<InstallSnapshotRequest> {
  const { SnapshotVersion: version, Size: sizeBytes } = fields;
  if (version < 0 || version > MAX_SNAPSHOT_VERSION) {
    return refuse('raft-snapshot-version', 'the snapshot is of an unknown version', { version, sizeBytes });
  }
  const configuration = version === 0 ? configurationBefore(fields, limits) : configurationOf(fields, limits);
  if (!configuration.ok) return configuration;
  return ok({
    kind: 'installSnapshot',
    ...headerOf(fields),
    term: fields.Term,
    leader: fields.Leader ?? '',
    lastIndex: fields.LastLogIndex,
    lastTerm: fields.LastLogTerm,
    configuration: configuration.value,
    configurationIndex: version === 0 ? fields.LastLogIndex : fields.ConfigurationIndex,
    sizeBytes,
  });
}

function configurationOf({ Configuration: bytes }: Fields, limits: WireLimits): Result<Configuration> {
  return decodeConfiguration(bytes ?? new Uint8Array(0), limits);
}

/** Snapshots of version 0 have the addresses only. */
function configurationBefore({ Peers: bytes }: Fields, limits: WireLimits): Result<Configuration> {
  const peers = decodePeers(bytes ?? new Uint8Array(0), limits);
  return peers.ok ? ok(configurationOfPeers(peers.value)) : peers;
}

/** Empty is not said either. */
export function claimOf({ Addr, ID }: Fields): Claim {
  return { id: ID === '' ? null : ID, address: Addr === '' ? null : Addr };
}

function headerOf(fields: Fields): { readonly protocolVersion: number; readonly sender: Claim } {
  return { protocolVersion: fields.ProtocolVersion, sender: claimOf(fields) };
}
