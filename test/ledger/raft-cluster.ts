/** A cluster under Raft for tests: what its log may hold, and a replica of the ledger that the log drives. */
import { utf8 } from '../../src/base/bytes.ts';
import { unwrap } from '../../src/base/result.ts';
import type { Block, SealedBlock } from '../../src/ledger/block.ts';
import { encodeControlRecord, type BaseRecord } from '../../src/ledger/control-record.ts';
import { decodeSignedEvent, signedEventFromJson } from '../../src/ledger/event.ts';
import { chainIdOf, type Genesis } from '../../src/ledger/genesis.ts';
import { LegacyState } from '../../src/ledger/legacy-state.ts';
import { NO_CONTROLS, type LogPosition } from '../../src/ledger/log-hash.ts';
import { headOf } from '../../src/ledger/genesis-state.ts';
import { LedgerMachine } from '../../src/ledger/machine.ts';
import { firstBlockAtBase, type FirstBlock } from '../../src/ledger/raft-base.ts';
import { RaftChain } from '../../src/ledger/raft-chain.ts';
import { encodeEventsCommand } from '../../src/ledger/raft-command.ts';
import { verifiedEvent, type VerifiedEvent } from '../../src/ledger/verified-event.ts';
import { nativeScheme } from '../../src/qc/scheme-native.ts';
import { makeValidatorSet } from '../../src/qc/validator-set.ts';
import { genesisOf, MapReader, type ChainOptions } from './chain.ts';
import { joinedFields, peerOf, START, submissionOf, type EventFields } from './nodes.ts';

export class Cluster {
  readonly genesis: Genesis;
  readonly chainId: string;
  now = START + 1000;

  constructor(options: ChainOptions = {}) {
    this.genesis = genesisOf(options);
    this.chainId = chainIdOf(this.genesis);
  }

  get validators() {
    return unwrap(makeValidatorSet(0, this.genesis.validators, nativeScheme));
  }

  event(fields: EventFields): VerifiedEvent {
    const submission = submissionOf({ time: this.now, ...fields });
    return verifiedEvent(unwrap(signedEventFromJson(this.chainId, submission)), 'signature-checked');
  }

  join(node: number, seq = 1, more: Readonly<Record<string, unknown>> = {}): VerifiedEvent {
    return this.event(joinedFields(peerOf(node), seq, more));
  }

  /** A command with these events, at the present time. */
  command(...events: readonly { readonly bytes: Uint8Array }[]): Uint8Array {
    return encodeEventsCommand({ timeSeconds: this.now, events: events.map(({ bytes }) => bytes) });
  }

  baseRecord(): BaseRecord {
    return { kind: 'base', chainId: this.chainId, timeSeconds: this.now };
  }

  baseData(): Uint8Array {
    return encodeControlRecord(this.baseRecord());
  }
}

/** A command of the older system. @param value JSON text */
export function legacyCommand(key: string, value: string, operation = 'set'): Uint8Array {
  return utf8(`{"Op":${JSON.stringify(operation)},"Key":${JSON.stringify(key)},"Value":${value}}`);
}

/** nodeData as the older system writes it. */
export function nodeDataJson(node: number, more: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({
    multiaddrs: [`/ip4/203.0.113.${node % 250}/tcp/4001`],
    peerId: peerOf(node),
    firstJoined: START - 5000,
    lastJoined: START - 4000,
    lastUpdated: START - 100,
    accumulatedUptime: 900_000_000_000,
    ethAddress: '',
    activity: 0,
    isActive: true,
    isStaked: false,
    isValidator: false,
    isTwitterScraper: true,
    isDiscordScraper: false,
    isTelegramScraper: false,
    isWebScraper: false,
    workerTimeout: '0001-01-01T00:00:00Z',
    version: 'v0.8.4',
    ...more,
  });
}

/** The pure ledger from BASE on, with its state in a map. */
export class Replica {
  readonly cluster: Cluster;
  readonly backing = new MapReader();
  readonly first: FirstBlock;
  readonly chain: RaftChain;
  #sealed: SealedBlock;

  constructor(cluster: Cluster, legacy = new LegacyState(), base: LogPosition = { index: 10, term: 2 }) {
    this.cluster = cluster;
    const { chainId, genesis, validators } = cluster;
    const data = cluster.baseData();
    this.first = firstBlockAtBase({ genesis, legacy, record: cluster.baseRecord(), position: base, data });
    this.backing.apply(this.first.changes);
    this.#sealed = this.first.sealed;
    const { block } = this.first.sealed;
    const { tree } = legacy;
    const machine = new LedgerMachine({
      chainId,
      head: headOf(block),
      backing: this.backing,
      tree,
      version: this.first.version,
    });
    this.chain = new RaftChain({
      machine,
      head: block,
      controls: NO_CONTROLS,
      validators,
      decodeEvent: decodeSignedEvent,
      trusted: (event) => verifiedEvent(event, 'own-log'),
    });
  }

  get head(): Block {
    return this.chain.head;
  }

  /** Applies a command and makes it durable at once. */
  apply(position: LogPosition, data: Uint8Array | null): ReturnType<RaftChain['applyCommand']> {
    const applied = this.chain.applyCommand(position, data);
    this.backing.apply(applied.changes);
    this.#sealed = applied.sealed;
    this.chain.machine.settled(this.head.header.height);
    return applied;
  }

  /** A value of the head's state, or none, with what a server says of it. */
  proven(key: string) {
    const { block, seal } = this.#sealed;
    const { proof, value } = unwrap(this.chain.machine.proveAt(block.header.height, key));
    return { value: value ?? null, proof, block, seal };
  }
}
