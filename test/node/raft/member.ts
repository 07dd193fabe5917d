/** A member's ledger for tests: the log is handed to it, and what it asks for is written with the index that is applied. */
import fc from 'fast-check';
import { concatBytes, utf8 } from '../../../src/base/bytes.ts';
import { bigEndian, fromBigEndian } from '../../../src/ledger/layout.ts';
import type { CommittedBlock } from '../../../src/consensus/engine.ts';
import type { LedgerOutcome } from '../../../src/node/raft/ledger-outcome.ts';
import { RaftLedger, type ChainLedger, type RaftLedgerOptions } from '../../../src/node/raft/ledger-machine.ts';
import type { Application } from '../../../src/node/raft/state-machine.ts';
import { ENTRY_TYPES, type Entry, type EntryType } from '../../../src/raft/messages.ts';
import type { Store, StoreOperation } from '../../../src/store/store.ts';
import { legacyCommandBytes } from '../../ledger/legacy-commands.ts';
import { peerOf } from '../../ledger/nodes.ts';
import { type Cluster, legacyCommand, nodeDataJson } from '../../ledger/raft-cluster.ts';
import { type MemoryDisk, MemoryStore } from '../../store/memory-store.ts';

const APPLIED_KEY = utf8('Rapplied by the test');

export class Member {
  readonly ledger: RaftLedger;
  readonly store: Store;
  /** What the rest of the node was told. */
  readonly told: CommittedBlock[];
  readonly outcomes: LedgerOutcome[] = [];
  readonly replacements: (ChainLedger | null)[];

  private constructor(ledger: RaftLedger, store: Store, told: CommittedBlock[], replacements: (ChainLedger | null)[]) {
    this.ledger = ledger;
    this.store = store;
    this.told = told;
    this.replacements = replacements;
  }

  static async open(
    cluster: Cluster,
    store: Store = new MemoryStore(),
    more: Partial<RaftLedgerOptions> = {},
  ): Promise<Member> {
    const told: CommittedBlock[] = [];
    const replacements: (ChainLedger | null)[] = [];
    const ledger = await RaftLedger.open({
      store,
      genesis: cluster.genesis,
      validators: cluster.validators,
      validatorKey: null,
      outlets: {
        committed: (blocks) => void told.push(...blocks),
        replacing: () => Promise.resolve(),
        replaced: async (replaced) => void replacements.push(replaced),
      },
      ...more,
    });
    return new Member(ledger, store, told, replacements);
  }

  /** The last index whose effects are on the disk. */
  get applied(): number {
    const written = this.store.get(APPLIED_KEY);
    return written === undefined ? 0 : fromBigEndian(written);
  }

  async apply(entries: readonly Entry[]): Promise<readonly LedgerOutcome[]> {
    const application = this.applyInMemory(entries);
    await this.write(entries, application);
    return application.outcomes;
  }

  applyInMemory(entries: readonly Entry[]): Application<LedgerOutcome> {
    return this.ledger.apply(entries);
  }

  async write(entries: readonly Entry[], application: Application<LedgerOutcome>): Promise<void> {
    const last = entries.at(-1);
    if (last === undefined) return;
    await this.store.batch([...application.operations, appliedOp(last.index)], { sync: true });
    this.outcomes.push(...application.outcomes);
    this.ledger.written(application);
  }

  async snapshot(): Promise<Uint8Array> {
    return gathered(await this.ledger.snapshot());
  }

  /** @param index of the last entry in the snapshot */
  async restore(snapshot: AsyncIterable<Uint8Array>, index: number): Promise<void> {
    for await (const operations of this.ledger.restore(snapshot)) await this.store.batch(operations, { sync: true });
    await this.store.batch([appliedOp(index)], { sync: true });
  }
}

function appliedOp(index: number): StoreOperation {
  return { kind: 'put', key: APPLIED_KEY, value: bigEndian(index) };
}

export async function gathered(parts: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const part of parts) all.push(part);
  return concatBytes(...all);
}

/** A snapshot in pieces of this size, to be read as often as one likes. */
export function inPieces(bytes: Uint8Array, size: number): AsyncIterable<Uint8Array> {
  return {
    async *[Symbol.asyncIterator]() {
      for (let from = 0; from < bytes.length; from += size) yield bytes.slice(from, from + size);
    },
  };
}

export function entry(index: number, type: EntryType, data: Uint8Array | null, term = 1): Entry {
  return { index, term, type, data, extensions: null, appendedAt: undefined };
}

/** What a log may hold, told by kind: `logOf` makes the entries. */
export type Written =
  | { readonly kind: 'legacy'; readonly data: Uint8Array }
  | { readonly kind: 'nodeData'; readonly node: number }
  | { readonly kind: 'events'; readonly nodes: readonly number[]; readonly seconds: number }
  | { readonly kind: 'bytes'; readonly data: Uint8Array | null }
  | { readonly kind: 'noop'; readonly data: Uint8Array | null }
  | { readonly kind: 'barrier' }
  | { readonly kind: 'base' };

export const written: fc.Arbitrary<Written> = fc.oneof(
  { weight: 3, arbitrary: legacyCommandBytes.map((data) => ({ kind: 'legacy', data }) as const) },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 6 }).map((node) => ({ kind: 'nodeData', node }) as const) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('events' as const),
      nodes: fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 4 }),
      seconds: fc.constantFrom(0, 1, 2000, -5),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.option(fc.uint8Array({ maxLength: 30 })).map((data) => ({ kind: 'bytes', data }) as const),
  },
  {
    weight: 1,
    arbitrary: fc.option(fc.uint8Array({ maxLength: 9 })).map((data) => ({ kind: 'noop', data }) as const),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'barrier' } as const) },
);

/** A log with BASE somewhere in it, or nowhere. */
export const histories: fc.Arbitrary<readonly Written[]> = fc
  .tuple(fc.array(written, { maxLength: 8 }), fc.array(written, { maxLength: 10 }), fc.boolean())
  .map(([before, behind, hasBase]) => (hasBase ? [...before, { kind: 'base' }, ...behind] : before));

/** Events have rising numbers, and join or leave by them; so some apply and some do not. */
export function logOf(cluster: Cluster, history: readonly Written[]): readonly Entry[] {
  let seq = 0;
  return history.map((each, place) => {
    const index = place + 1;
    const term = 1 + Math.floor(place / 3);
    switch (each.kind) {
      case 'legacy':
      case 'bytes':
        return entry(index, ENTRY_TYPES.command, each.data, term);
      case 'nodeData': {
        const data = legacyCommand(peerOf(each.node), nodeDataJson(each.node), 'updateNodeData');
        return entry(index, ENTRY_TYPES.command, data, term);
      }
      case 'events': {
        cluster.now += each.seconds;
        const events = each.nodes.map((node) => {
          seq++;
          return seq % 4 === 0 ? cluster.event({ type: 'left', peerId: peerOf(node), seq }) : cluster.join(node, seq);
        });
        return entry(index, ENTRY_TYPES.command, cluster.command(...events), term);
      }
      case 'noop':
        return entry(index, ENTRY_TYPES.noop, each.data, term);
      case 'barrier':
        return entry(index, ENTRY_TYPES.barrier, null, term);
      case 'base':
        return entry(index, ENTRY_TYPES.noop, cluster.baseData(), term);
    }
  });
}

/** All that a member holds on its disk, by key in hex. */
export function contentOf(disk: MemoryDisk): ReadonlyMap<string, Uint8Array> {
  return new Map([...disk.entries].sort(([a], [b]) => (a < b ? -1 : 1)));
}
