/** The Raft server of a member: its settings, its links and what it stands on. */
import { randomInt } from 'node:crypto';
import type { Hash } from '../../base/hash.ts';
import type { Host } from '../../net/host.ts';
import { Libp2pStreams, RAFT_PROTOCOL } from '../../net/libp2p-streams.ts';
import { TcpStreams } from '../../net/tcp-streams.ts';
import { DEFAULT_LIMITS } from '../../raft/contract.ts';
import { configurationCodec } from '../../raft/wire/configuration-codec.ts';
import type { AddressBook } from '../address-book.ts';
import type { LedgerOutcome } from './ledger-outcome.ts';
import type { NamedServers } from './named-servers.ts';
import { networkLinks } from './network-links.ts';
import { selfOf, type OpenMember } from './open-member.ts';
import type { RaftConfig } from './raft-config.ts';
import { DEFAULT_SHELL_LIMITS, type RaftServerOptions } from './server-options.ts';

export interface MemberServerParts extends Pick<RaftServerOptions<LedgerOutcome>, 'outlets'> {
  readonly raft: RaftConfig;
  readonly peerId: string;
  readonly member: OpenMember;
  readonly named: NamedServers;
  readonly host: Host;
  readonly addresses: Pick<AddressBook, 'of'>;
}

export function memberServerOptions(parts: MemberServerParts): RaftServerOptions<LedgerOutcome> {
  const { member, named, outlets, peerId, raft } = parts;
  const { commitMs, electionMs, heartbeatMs, leaseMs, protocolVersion } = raft;
  const { maxAppendEntries, maxInFlight, maxUncommittedBytes, maxUncommittedEntries, trailingEntries } = raft;
  const self = selfOf(raft, peerId);
  return {
    self,
    protocolVersion,
    timings: { heartbeatMs, electionMs, leaseMs, commitMs },
    limits: {
      ...DEFAULT_LIMITS,
      maxAppendEntries,
      maxInFlight,
      maxUncommittedBytes,
      maxUncommittedEntries,
      trailingEntries,
    },
    shellLimits: DEFAULT_SHELL_LIMITS,
    snapshotPolicy: { intervalMs: raft.snapshotIntervalMs, threshold: raft.snapshotThreshold },
    seed: randomInt(2 ** 32),
    codec: configurationCodec,
    pinnedHistory: (raft.history ?? named.list.list?.history ?? null) as Hash | null,
    store: member.store,
    snapshots: member.snapshots,
    machine: member.ledger,
    openLinks: networkLinks({ self, streams: streamsOf(parts), protocolVersion, listed: () => named.all() }),
    nowMs: () => performance.now(),
    outlets,
  };
}

function streamsOf({ addresses, host, raft }: MemberServerParts): TcpStreams | Libp2pStreams {
  if (raft.transport === 'tcp') return new TcpStreams({ listen: raft.listen });
  return new Libp2pStreams({ host, protocol: RAFT_PROTOCOL, multiaddrsOf: (peerId) => addresses.of(peerId) });
}
