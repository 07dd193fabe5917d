/** What an operator can see of a Raft server and ask of it. Plain data: it crosses the control socket as JSON. */
import { ok, refuse, type Refusal, type Result } from '../../base/result.ts';
import type { RaftRole } from '../../raft/contract.ts';
import type { ServerAddress, ServerId, Suffrage } from '../../raft/messages.ts';
import type { HistoryRecord } from '../../raft/stored-records.ts';
import { addVoter } from './adding-voters.ts';
import type { SignedClusterList } from './cluster-list.ts';
import type { KnownServer } from '../../raft/sender.ts';
import type { NamedServers } from './named-servers.ts';
import type { RaftServer, RaftServerStatus } from './raft-server.ts';

export interface RaftReport {
  readonly self: { readonly id: ServerId; readonly address: ServerAddress };
  readonly role: RaftRole;
  readonly term: number;
  readonly leader: { readonly id: ServerId; readonly address: ServerAddress } | null;
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly durableIndex: number;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly snapshot: { readonly lastIndex: number; readonly lastTerm: number; readonly sizeBytes: number } | null;
  readonly configurationIndex: number;
  readonly isConfigurationCommitted: boolean;
  readonly servers: readonly ServerReport[];
  readonly history: HistoryRecord | null;
  /** Another history has shown itself. */
  readonly foreign: Refusal | null;
  readonly proposalsWaiting: number;
  readonly list: SignedClusterList | null;
}

export interface ServerReport {
  readonly id: ServerId;
  readonly address: ServerAddress;
  readonly suffrage: Suffrage;
  /** What a leader knows of another server; null on a follower, and of itself. */
  readonly follower: {
    readonly state: 'probe' | 'pipeline' | 'snapshot';
    readonly matchIndex: number;
    readonly heardAgoMs: number | null;
  } | null;
}

export type RaftChange =
  | { readonly kind: 'add-voter' | 'add-nonvoter'; readonly id: ServerId; readonly address: ServerAddress }
  | { readonly kind: 'demote' | 'remove'; readonly id: ServerId };

export interface RaftOperations {
  report(): RaftReport;
  /** Settles when it is committed. */
  change(change: RaftChange): Promise<Result<{ readonly index: number }>>;
  /** To the most advanced voter where nobody is named. */
  transfer(to: ServerId | null): Promise<Result<{ readonly leader: ServerId | null }>>;
  snapshot(): Promise<Result<{ readonly lastIndex: number; readonly isNew: boolean }>>;
  /** The ledger begins; see `beginLedger`. */
  base(): Promise<Result<{ readonly index: number }>>;
  /** These are taken at their word from now on, as the operator of this server names them. */
  name(servers: readonly KnownServer[]): Promise<Result<{ readonly named: number }>>;
  /** The operator's list; refusals as of `ClusterListFile.replace`. */
  replaceList(list: unknown): Promise<Result<SignedClusterList>>;
}

/** A server that takes longer to catch up stays without a vote, and the command says so. */
const CATCH_UP_LIMIT_MS = 60_000;

export interface ServerOperationsOptions<O> {
  readonly server: RaftServer<O>;
  readonly address: ServerAddress;
  readonly named: NamedServers;
  readonly begin: () => Promise<Result<number>>;
  /** A clock that never steps back, milliseconds. */
  readonly nowMs: () => number;
}

export class ServerOperations<O> implements RaftOperations {
  readonly #options: ServerOperationsOptions<O>;
  readonly #server: RaftServer<O>;

  constructor(options: ServerOperationsOptions<O>) {
    this.#options = options;
    this.#server = options.server;
  }

  report(): RaftReport {
    const status = this.#server.status();
    const { configuration, index } = status.configuration;
    return {
      self: { id: status.self, address: this.#options.address },
      role: status.role,
      term: status.term,
      leader: status.leader,
      firstIndex: status.firstIndex,
      lastIndex: status.lastIndex,
      durableIndex: status.durableIndex,
      commitIndex: status.commitIndex,
      appliedIndex: status.machineIndex,
      snapshot: status.snapshot,
      configurationIndex: index,
      isConfigurationCommitted: status.committedConfiguration.index === index,
      servers: configuration.servers.map((server) => ({ ...server, follower: followerOf(status, server.id) })),
      history: status.history,
      foreign: status.foreign,
      proposalsWaiting: status.proposalsWaiting,
      list: this.#options.named.list.list,
    };
  }

  async change(change: RaftChange): Promise<Result<{ readonly index: number }>> {
    const outcome = await this.#change(change);
    return outcome.ok ? ok({ index: outcome.value }) : outcome;
  }

  async transfer(to: ServerId | null): Promise<Result<{ readonly leader: ServerId | null }>> {
    const outcome = await this.#server.transfer(to);
    return outcome.ok ? ok({ leader: this.#server.status().leader?.id ?? to }) : outcome;
  }

  async snapshot(): Promise<Result<{ readonly lastIndex: number; readonly isNew: boolean }>> {
    const taken = await this.#server.snapshot();
    const lastIndex = taken?.lastIndex ?? this.#server.status().snapshot?.lastIndex;
    if (lastIndex === undefined) return refuse('raft-nothing-to-snapshot', 'nothing has been applied yet');
    return ok({ lastIndex, isNew: taken !== null });
  }

  async base(): Promise<Result<{ readonly index: number }>> {
    const outcome = await this.#options.begin();
    return outcome.ok ? ok({ index: outcome.value }) : outcome;
  }

  async name(servers: readonly KnownServer[]): Promise<Result<{ readonly named: number }>> {
    await this.#options.named.name(servers);
    return ok({ named: servers.length });
  }

  replaceList(list: unknown): Promise<Result<SignedClusterList>> {
    return this.#options.named.list.replace(list);
  }

  #change(change: RaftChange): Promise<Result<number>> {
    const { id } = change;
    switch (change.kind) {
      case 'add-voter':
        return addVoter(this.#server, id, change.address, CATCH_UP_LIMIT_MS, this.#options.nowMs);
      case 'add-nonvoter':
        return this.#server.changeConfiguration({ kind: 'addNonvoter', id, address: change.address });
      case 'demote':
        return this.#server.changeConfiguration({ kind: 'demoteVoter', id });
      case 'remove':
        return this.#server.changeConfiguration({ kind: 'removeServer', id });
    }
  }
}

function followerOf({ followers }: RaftServerStatus, id: ServerId): ServerReport['follower'] {
  const follower = followers.find((other) => other.id === id);
  if (follower === undefined) return null;
  const { heardAgoMs, matchIndex, state } = follower;
  return { state, matchIndex, heardAgoMs };
}
