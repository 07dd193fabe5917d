/** A validator's engine as a start makes it: of what its disk holds. */
import { unwrap, type Refusal } from '../../src/base/result.ts';
import type { ValidatorIndex } from '../../src/consensus/engine.ts';
import { DEFAULT_MEMPOOL_LIMITS } from '../../src/consensus/mempool.ts';
import { HotstuffEngine } from '../../src/hotstuff/engine.ts';
import type { Pacing } from '../../src/hotstuff/replica.ts';
import { decodeSafetyRecord, type SafetyRecord } from '../../src/hotstuff/safety-record.ts';
import { decodeStoredBlock } from '../../src/hotstuff/stored-block.ts';
import { decodeSealedBlock } from '../../src/ledger/block.ts';
import { NEWEST_EVENT_SCHEMA } from '../../src/ledger/newest-schema.ts';
import { LedgerMachine } from '../../src/ledger/machine.ts';
import { StateTree } from '../../src/ledger/state-tree.ts';
import { verifiedEvent } from '../../src/ledger/verified-event.ts';
import { certificateVerifiedBefore } from '../../src/qc/certificate.ts';
import type { TestChain } from './chain.ts';
import type { TestDisk } from './test-disk.ts';

interface StartOptions {
  readonly self: ValidatorIndex;
  readonly pacing: Pacing;
  readonly silence: Refusal | null;
  /** Of the program; left out: the newest there is. */
  readonly newestSchema?: number;
  /** Instead of the one on disk. */
  readonly record?: SafetyRecord;
}

export function engineOn(
  chain: TestChain,
  disk: TestDisk,
  { self, pacing, silence, record, newestSchema = NEWEST_EVENT_SCHEMA }: StartOptions,
): { engine: HotstuffEngine; machine: LedgerMachine } {
  const { chainId, depth, genesisCertificate, validators } = chain;
  const head = unwrap(decodeSealedBlock(chainId, disk.sealed.at(-1) as Uint8Array));
  const { height, stateRoot, timestamp } = head.block.header;
  const tree = new StateTree();
  const version = tree.update(
    tree.empty,
    [...disk.state].map(([key, value]) => ({ key, value })),
  );
  tree.retire(tree.empty);
  const machine = new LedgerMachine({
    chainId,
    backing: { get: (key) => disk.state.get(key) },
    tree,
    version,
    newestSchema,
    head: { height, blockId: head.block.id, stateRoot, timestamp },
  });
  const uncommitted = [...disk.uncommitted.values()].map((bytes) => {
    const { block, justify } = unwrap(decodeStoredBlock(chainId, bytes));
    const events = block.events.map((event) => verifiedEvent(event, 'own-log'));
    return { block, events, justify: certificateVerifiedBefore(justify) };
  });
  const engine = new HotstuffEngine({
    context: { chainId, validators, genesis: genesisCertificate },
    self,
    commitDepth: depth,
    machine,
    head,
    record: record ?? (disk.safety === null ? null : unwrap(decodeSafetyRecord(disk.safety))),
    uncommitted,
    silence,
    pacing,
    mempool: DEFAULT_MEMPOOL_LIMITS,
  });
  return { engine, machine };
}
